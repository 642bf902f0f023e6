//! Rows of `job` written by hand.

use belay_core::JobState;

/// A column and an expression for its value.
pub(crate) type Value = (&'static str, &'static str);

/// Values that make a row of `job` consistent in a state: column and expression.
pub(crate) fn shape(state: JobState) -> [Value; 10] {
    let when = |is: bool, yes| if is { yes } else { "null" };
    let held = state.is_held();
    let cancelling = state == JobState::Cancelling;
    let open = state == JobState::Open;
    [
        (
            "ticket",
            when(
                !open && state != JobState::Scheduled,
                "nextval('belay.ticket')",
            ),
        ),
        ("upload", if open { "true" } else { "false" }),
        ("worker", when(held, "7")),
        ("started_at", when(held, "timestamptz '2026-01-02'")),
        ("claimed_at", when(held, "timestamptz '2026-01-02'")),
        ("suspended_at", when(state == JobState::Suspended, "now()")),
        ("cancel_at", when(cancelling, "timestamptz '2026-01-03'")),
        ("cancel_actor", when(cancelling, "'somebody'")),
        ("cancel_reason", "null"),
        ("cancel_via", when(cancelling, "'sql'")),
    ]
}

/// The statement that inserts job 1 in a state with these values.
pub(crate) fn insert_row(values: &[Value], state: JobState) -> String {
    let (columns, values): (Vec<_>, Vec<_>) = values.iter().copied().unzip();
    format!(
        "insert into belay.job (id, tenant, state, priority, max_attempts, queue, kind, created_by, created_via, {})
         values (1, 1, '{state}', 5, 5, 'default', 'noop', 'me', 'sql', {})",
        columns.join(", "),
        values.join(", ")
    )
}
