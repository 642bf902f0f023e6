use super::*;

fn first_fault(text: &str) -> (String, String) {
    let read = || -> Result<(), Fault> {
        let mut m = Members::of(text, "")?;
        m.needed_text("kind")?;
        m.integer::<i16>("priority")?;
        m.time("run_at")?;
        m.flag("force")?;
        m.raw("payload");
        m.end()
    };
    let fault = read().unwrap_err();
    (fault.about.field.unwrap_or_default(), fault.detail)
}

#[test]
fn each_refusal_names_its_member_and_the_value() {
    for (text, field, detail) in [
        ("[]", "", "the body must be a JSON object"),
        ("7", "", "the body must be a JSON object"),
        ("{}", "kind", "kind is missing; it must be a string"),
        (
            r#"{"kind":null}"#,
            "kind",
            "kind is missing; it must be a string",
        ),
        (r#"{"kind":7}"#, "kind", "kind is 7, it must be a string"),
        (
            r#"{"kind":"a","priority":1.5}"#,
            "priority",
            "priority is 1.5, it must be a whole number in range",
        ),
        (
            r#"{"kind":"a","priority":1e9}"#,
            "priority",
            "priority is 1e9, it must be a whole number in range",
        ),
        (
            r#"{"kind":"a","priority":99999}"#,
            "priority",
            "priority is 99999, it must be a whole number in range",
        ),
        (
            r#"{"kind":"a","force":"yes"}"#,
            "force",
            "force is \"yes\", it must be true or false",
        ),
        (
            r#"{"kind":"a","run_at":"2026-12-24 18:00"}"#,
            "run_at",
            "run_at is \"2026-12-24 18:00\", it must be a time with its offset, such as \"2026-12-24T18:00:00Z\"",
        ),
        (
            r#"{"kind":"a","runAt":null}"#,
            "runAt",
            "unknown member \"runAt\"; known are kind, priority, run_at, force, payload",
        ),
    ] {
        assert_eq!(
            first_fault(text),
            (field.to_owned(), detail.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn texts_reach_the_reader_unchanged() {
    let mut m = Members::of(
        r#"{"payload": {"n": 12345678901234567890.10}, "kind": "\u00e9"}"#,
        "",
    )
    .unwrap();
    assert_eq!(
        m.raw("payload").unwrap().get(),
        r#"{"n": 12345678901234567890.10}"#
    );
    assert_eq!(m.needed_text("kind").unwrap(), "é");
    m.end().unwrap();
}

#[test]
fn the_rest_is_what_was_written_without_what_was_taken() {
    let text = r#"{"b\"\u0001é": [1.10, null], "a": null, "runAt": "2026-12-24T18:00:00Z", "z": {"x": 1}}"#;
    let mut m = Members::of(text, "").unwrap();
    m.time("runAt").unwrap();
    assert_eq!(
        m.rest(),
        r#"{"a":null,"b\"\u0001é":[1.10, null],"z":{"x": 1}}"#
    );
    assert_eq!(Members::none().rest(), "{}");
}

#[test]
fn years_that_not_everybody_can_hold_are_refused() {
    for (text, fine) in [
        ("0000-12-31T23:00:00Z", false),
        ("0000-12-31T23:00:00-01:00", true),
        ("9999-12-31T23:59:59Z", true),
        ("9999-12-31T23:59:59-01:00", false),
    ] {
        let body = format!(r#"{{"at":"{text}"}}"#);
        let mut m = Members::of(&body, "").unwrap();
        assert_eq!(m.time_to_keep("at").is_ok(), fine, "{text}");
    }
}

#[test]
fn places_are_part_of_the_name() {
    let mut m = Members::of(r#"{"a":1}"#, "jobs[3]").unwrap();
    assert_eq!(m.text("a").unwrap_err().about.field.unwrap(), "jobs[3].a");
}
