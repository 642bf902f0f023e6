use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::*;
use crate::executors::{Control, Output, Progress, Sink};

#[derive(Debug)]
struct Nowhere;

impl Sink for Nowhere {
    fn output(&self, _: Output) {}
    fn progress(&self, _: Progress) {}
}

fn attempt(payload: &str) -> Attempt {
    Attempt {
        job: 7,
        uid: "0b3a".into(),
        tenant: 3,
        queue: "a:b".into(),
        kind: "hook".into(),
        attempt: 2,
        max_attempts: 5,
        fence: 9,
        worker: 1,
        lease: watch::Sender::new(Duration::MAX).subscribe(),
        payload: payload.into(),
        control: watch::Sender::new(Control::Run).subscribe(),
        sink: Arc::new(Nowhere),
    }
}

fn render(template: &str, payload: &str) -> Result<String, String> {
    Template::new(template)
        .unwrap()
        .render(&attempt(payload))
        .map(String::from)
}

#[test]
fn placeholders_are_filled_in() {
    for (template, payload, expected) in [
        ("https://h.example", "{}", "https://h.example/"),
        ("HTTP://h.example:8080/", "{}", "http://h.example:8080/"),
        (
            "http://h/{kind}/{id}/{uid}?a={attempt}&t={tenant}&q={queue}",
            "{}",
            "http://h/hook/7/0b3a?a=2&t=3&q=a%3Ab",
        ),
        (
            "http://h/x-{payload.a.b}.json",
            r#"{"a":{"b":"c d"}}"#,
            "http://h/x-c%20d.json",
        ),
        (
            "http://h/{payload.n}/{payload.f}",
            r#"{"n":12345678901234567890123.50,"f":false}"#,
            "http://h/12345678901234567890123.50/false",
        ),
        (
            "http://h/?{payload.k}={payload.v}",
            r#"{"k":"a=b","v":""}"#,
            "http://h/?a%3Db=",
        ),
        (
            "http://h/{payload.x}",
            r#"{"\u0078":"\u00e4"}"#,
            "http://h/%C3%A4",
        ),
        ("http://h/a//b/?", "{}", "http://h/a//b/?"),
    ] {
        assert_eq!(
            render(template, payload).as_deref(),
            Ok(expected),
            "{template}"
        );
    }
}

#[test]
fn no_value_leaves_its_place() {
    for (value, in_path, in_query) in [
        ("../../admin", "..%2F..%2Fadmin", "..%2F..%2Fadmin"),
        ("%2e%2e", "%252e%252e", "%252e%252e"),
        ("%2f..%2f", "%252f..%252f", "%252f..%252f"),
        ("a?b#c", "a%3Fb%23c", "a%3Fb%23c"),
        ("a&b=c;d+e", "a%26b%3Dc%3Bd%2Be", "a%26b%3Dc%3Bd%2Be"),
        (
            "a\r\nHost: evil",
            "a%0D%0AHost%3A%20evil",
            "a%0D%0AHost%3A%20evil",
        ),
        ("\\\\evil\\x", "%5C%5Cevil%5Cx", "%5C%5Cevil%5Cx"),
        ("@evil.example/", "%40evil.example%2F", "%40evil.example%2F"),
        (
            "http://evil/",
            "http%3A%2F%2Fevil%2F",
            "http%3A%2F%2Fevil%2F",
        ),
        ("{id}", "%7Bid%7D", "%7Bid%7D"),
        ("\t \u{7f}", "%09%20%7F", "%09%20%7F"),
        ("...", "...", "..."),
    ] {
        let payload = serde_json::json!({ "v": value }).to_string();
        assert_eq!(
            render("http://h/a/{payload.v}/b", &payload),
            Ok(format!("http://h/a/{in_path}/b"))
        );
        assert_eq!(
            render("http://h/?q={payload.v}&r=1", &payload),
            Ok(format!("http://h/?q={in_query}&r=1"))
        );
    }
}

#[test]
fn values_that_lead_elsewhere_are_refused() {
    for (template, value) in [
        ("http://h/a/{payload.v}", ""),
        ("http://h/a/{payload.v}", "."),
        ("http://h/a/{payload.v}/b", ".."),
        ("http://h/a/.{payload.v}/b", "."),
        ("http://h/a/%2e{payload.v}/b", "."),
        ("http://h/a/{payload.v}%2E/b", ""),
        ("http://h/{payload.v}{payload.v}/b", "."),
    ] {
        let payload = serde_json::json!({ "v": value }).to_string();
        let error = render(template, &payload).unwrap_err();
        assert!(
            error.contains("leads elsewhere"),
            "{template} {value:?}: {error}"
        );
    }
    let long = serde_json::json!({ "v": "x".repeat(8000) }).to_string();
    assert!(
        render("http://h/{payload.v}", &long)
            .unwrap_err()
            .contains("bytes long")
    );
}

#[test]
fn members_that_are_not_there_are_named() {
    for payload in [
        "{}",
        "[]",
        "1",
        r#"{"a":1}"#,
        r#"{"a":{"b":null}}"#,
        r#"{"a":{"b":{}}}"#,
        r#"{"a":{"b":[1]}}"#,
    ] {
        let error = render("http://h/{payload.a.b}", payload).unwrap_err();
        assert!(error.contains("\"a.b\""), "{payload}: {error}");
    }
}

#[test]
fn templates_that_cannot_work_are_refused() {
    for (template, words) in [
        ("", "http://"),
        ("ftp://h/", "http://"),
        ("file:///etc/passwd", "http://"),
        ("http:h", "http://"),
        ("//h/", "http://"),
        ("{payload.url}", "http://"),
        ("http://{payload.h}/", "before its path"),
        ("http://h:{id}/", "before its path"),
        ("http://{uid}@h/", "before its path"),
        ("http://user:pw@h/", "password"),
        ("http://good.example@evil.example/", "password"),
        ("http://h/#x", "fragment"),
        ("http://h/\\x", "contains"),
        ("http://h\\@evil/", "contains"),
        ("http://h/a b", "contains"),
        ("http://h/\r\n", "contains"),
        (" http://h/", "contains"),
        ("http://", "not a URL"),
        ("http:///path", "not a URL"),
        ("http://h:99999/", "not a URL"),
        ("http://[::1/", "not a URL"),
        ("http://h/{", "without a }"),
        ("http://h/}", "without a {"),
        ("http://h/{nope}", "{nope}"),
        ("http://h/{}", "{}"),
        ("http://h/{payload}", "{payload}"),
        ("http://h/{payload.}", "{payload.}"),
        ("http://h/{payload.a..b}", "{payload.a..b}"),
        ("http://h/{payload.a b}", "contains"),
        ("http://h/{payload.a/b}", "without a }"),
        ("http://h/../x", "\"..\""),
        ("http://h/%2E./x", "\"%2E.\""),
    ] {
        let error = Template::new(template).unwrap_err();
        assert!(error.contains(words), "{template}: {error}");
    }
}
