//! Bodies that are wrong in every operation that reads JSON.

use super::{Bad, Here, Is, each};
use crate::contract::faces::Ask;
use crate::contract::shapes::Wrong;

/// A good body of each operation, to be spoilt.
fn operations(here: &Here) -> Vec<(&'static str, Ask, &'static str)> {
    let (group, number, uid) = (&here.group, here.queued.number, &here.queued.uid);
    let prospecting = format!("/v1/accounts/{group}/prospecting");
    let jobs = |method, path: String| here.ask(method, path).with("Customer-Id", "1");
    vec![
        (
            "prospecting",
            here.ask("POST", format!("{prospecting}/{}/cancel", here.queued.key)),
            r#""reason":"x""#,
        ),
        (
            "prospecting",
            here.ask("POST", prospecting),
            r#""type":"noop""#,
        ),
        (
            "jobs",
            jobs("PUT", format!("/v1/jobs/{number}/cancel")),
            r#""reason":"x""#,
        ),
        (
            "jobs",
            jobs("POST", "/v1/jobs".into()),
            r#""typeId":1,"contactId":1"#,
        ),
        (
            "jobs",
            jobs("PUT", format!("/v1/jobs/{number}/schedule")),
            r#""plannedStartAt":null"#,
        ),
        (
            "jobs",
            jobs("PUT", format!("/v1/jobs/{number}/result")),
            r#""success":true"#,
        ),
        (
            "bulk-actions",
            here.ask("POST", format!("/api/actions/bulk/jobs/{uid}/cancel")),
            r#""reason":"x""#,
        ),
        (
            "bulk-actions",
            here.ask("POST", "/api/actions/bulk/jobs"),
            r#""action_type":"noop","tenant":1"#,
        ),
        (
            "ingest",
            here.ask("PATCH", format!("/api/v1/ingest/jobs/{uid}")),
            r#""state":"Aborted""#,
        ),
        (
            "ingest",
            here.ask("POST", "/api/v1/ingest/jobs"),
            r#""object":"o","sourceName":"s","operation":"upsert""#,
        ),
    ]
}

/// Whether the whole body is kept with the job. Of others only the members that are known count, so what else is in them does
/// no harm.
fn is_kept(members: &str) -> bool {
    ["\"type\"", "\"typeId\"", "\"action_type\""]
        .iter()
        .any(|first| members.starts_with(first))
}

/// Ways to spoil it.
fn spoilt(members: &str) -> Vec<Vec<u8>> {
    let first = members.split(',').next().unwrap();
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let texts = [
        // Cut off, or followed by something.
        format!("{{{members}"),
        format!("{{{members},}}"),
        format!("{{{members}}}{{}}"),
        format!("{{{members}}}x"),
        // No objects.
        format!("[{{{members}}}]"),
        "[]".into(),
        "null".into(),
        "7".into(),
        "\"{}\"".into(),
        // Twice the same member.
        format!("{{{members},{first}}}"),
        // Nothing that is text.
        format!("{{{members},\"x\":\"\\ud800\"}}"),
        format!("{{{members},\"x\":\"\\udc00\\ud800\"}}"),
        format!("{{{members},\"x\":{deep}}}"),
        format!("{{{members},\"x\":{}", "[{\"a\":".repeat(50_000)),
        // No JSON.
        format!("{{{members},\"x\":NaN}}"),
        format!("{{{members},\"x\":1e99999}}"),
        format!("{{{members},\"x\":01}}"),
        format!("{{{members},\"x\":\"a\nb\"}}"),
        format!("{{{members},x:1}}"),
        format!("{{{members} /* why */}}"),
        members.replace("\":", "=").replace(['"', ','], "&"),
    ];
    let mut all: Vec<String> = texts.into();
    if is_kept(members) {
        all.extend([
            format!("{{{members},\"x\":{{\"a\":1,\"a\":1}}}}"),
            format!("{{{members},\"x\":\"\\u0000\"}}"),
            format!("{{{members},\"\\u0000\":1}}"),
        ]);
    }
    let mut all: Vec<Vec<u8>> = all.into_iter().map(String::into_bytes).collect();
    let utf16 = format!("{{{members}}}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    all.push(utf16);
    all.push([b"{\"x\":\"\xc0\x80\",", members.as_bytes(), b"}"].concat());
    all.push([b"\xef\xbb\xbf\xef\xbb\xbf{", members.as_bytes(), b"}"].concat());
    all
}

pub(super) fn bad(here: &Here) -> Vec<Bad> {
    let mut all = Vec::new();
    for (name, ask, members) in operations(here) {
        let bodies = spoilt(members);
        let bodies = bodies.into_iter().map(|body| ask.clone().body(body));
        all.extend(each(name, Is(Wrong::Malformed), bodies));
        let whole = format!("{{{members}}}");
        let types = [
            "text/plain",
            "text/csv",
            "application/x-www-form-urlencoded",
            "application/json5",
            "application",
        ];
        let types = types.map(|media| ask.clone().with("Content-Type", media).body(whole.as_str()));
        all.extend(each(name, Is(Wrong::MediaType), types));
        let codings = ["gzip", "br", "identity, gzip"];
        let codings = codings.map(|coding| {
            ask.clone()
                .with("Content-Encoding", coding)
                .body(whole.as_str())
        });
        all.extend(each(name, Is(Wrong::MediaType), codings));
        let large = format!("{whole}{}", " ".repeat(1 << 20));
        all.extend(each(name, Is(Wrong::TooLarge), [ask.body(large)]));
    }
    all
}
