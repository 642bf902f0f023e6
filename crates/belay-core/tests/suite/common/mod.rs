//! What the files of this suite share: jobs made through real operations, and looks at what became of them.

mod ask;
mod bulk;
mod make;
mod row;
mod wait;

pub(crate) use ask::{
    count, counts, events, facts, job, refusal, refused, run, state, text, texts,
};
pub(crate) use bulk::{Bulk, fail_all_of_kind, in_another_tenant, stuck, went};
pub(crate) use make::{
    Made, TENANT, as_client, claim, claim_from, claim_one, enqueue, enqueue_n, fail, fail_for_good,
    held, in_an_hour, killed, let_lease_run_out, make, make_from, me, new_job, new_with, on_line,
    register, report, snooze, stopped, with_key,
};
pub(crate) use row::{Value, insert_row, shape};
pub(crate) use wait::{overtaken, pid, until_blocked};
