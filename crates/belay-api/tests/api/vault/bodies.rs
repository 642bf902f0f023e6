//! What a body may look like, and what is wrong with the others.

use serde_json::{Value, json};

use super::{CANCEL, accepted, cancel, data, expect_failure, queued, refused, send, status};
use crate::support::{Reply, World, exchange};

const CSV: (&str, &str) = ("Content-Type", "text/csv");

fn cancel_csv(world: &World, text: impl AsRef<[u8]>) -> Reply {
    send(world, "POST", CANCEL, &[CSV], text)
}

#[test]
fn tables_are_read_in_every_variant() {
    let world = World::new();
    for (header, text) in [
        ("text/csv", "job_id\n{a}\n{b}\n"),
        ("text/csv", "job_id\r\n{a}\r\n{b}\r\n"),
        ("text/csv", "job_id\n{a}\n{b}"),
        ("Text/CSV; charset=utf-8", "\u{feff}job_id\n{a}\n{b}\n"),
        ("text/csv", "\u{feff}\"job_id\"\r\n\"{a}\"\r\n\"{b}\"\r\n"),
        ("text/csv", " Job_ID \n{a}\n{b}\n"),
        ("text/csv", "JOB_ID\n{a}\n{b}\n"),
        ("text/csv", "\n\njob_id\n\n{a}\n\r\n\n{b}\n\n"),
        (
            "text/csv",
            "name,job_id,note\n\"a, \"\"b\"\"\",{a},\"two\nlines\"\nx,{b},\n",
        ),
        ("text/csv", "job_id,name\n{a}\n{b},x,y\n"),
    ] {
        let ids = queued(&world, 2);
        let text = text
            .replace("{a}", &ids[0].to_string())
            .replace("{b}", &ids[1].to_string());
        let reply = send(&world, "POST", CANCEL, &[("Content-Type", header)], &text);
        assert_eq!(
            data(&reply),
            [accepted(ids[0]), accepted(ids[1])],
            "{text:?}"
        );
        for id in ids {
            assert_eq!(status(&world, id), "CANCELLED");
        }
    }
}

#[test]
fn records_that_are_wrong_spoil_no_others() {
    let world = World::new();
    let ids = queued(&world, 2);
    let missing = || refused("PARAMETER_REQUIRED", "Missing required parameter [job_id]");
    let text = format!(
        "x,job_id\na,{}\nb\nc,\nd,x y\ne,1.0\nf,{}\n",
        ids[1], ids[0]
    );
    assert_eq!(
        data(&cancel_csv(&world, text)),
        [
            accepted(ids[1]),
            missing(),
            missing(),
            refused("INVALID_DATA", "Invalid job_id [x y]"),
            refused("INVALID_DATA", "Invalid job_id [1.0]"),
            accepted(ids[0]),
        ]
    );
}

#[test]
fn tables_are_counted_too() {
    let world = World::new();
    let ids = queued(&world, 500);
    let rows: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let before = world.contents();
    let text = format!("job_id\n{}\n{}\n", rows.join("\n"), ids[0]);
    let message = expect_failure(&cancel_csv(&world, text), 200, "INVALID_DATA");
    assert!(message.contains("501"), "{message}");
    assert_eq!(world.contents(), before);
    let text = format!("job_id\n\n{}\n\n", rows.join("\n\n"));
    let expected: Vec<Value> = ids.iter().map(|id| accepted(*id)).collect();
    assert_eq!(data(&cancel_csv(&world, text)), expected);
}

#[test]
fn json_is_read_however_it_is_spelt() {
    let world = World::new();
    for header in [
        None,
        Some("application/json"),
        Some("Application/JSON"),
        Some("application/json; charset=utf-8"),
    ] {
        let id = queued(&world, 1)[0];
        let headers: Vec<_> = header
            .map(|value| ("Content-Type", value))
            .into_iter()
            .collect();
        let body = format!("\u{feff} [ {{ \"other\": [{{}}], \"job\\u005fid\" : {id} }} ]\n");
        let reply = send(&world, "POST", CANCEL, &headers, body);
        assert_eq!(data(&reply), [accepted(id)], "{header:?}");
    }
    let id = queued(&world, 1)[0];
    let bearer = format!("Bearer {}", world.admin);
    let body = format!(r#"[{{"job_id":{id}}}]"#);
    let reply = super::send_as(&world, &bearer, "POST", &format!("{CANCEL}/"), &[], body);
    assert_eq!(data(&reply), [accepted(id)]);
}

#[test]
fn a_body_that_cannot_be_read_fails_the_whole_request() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    let good = format!(r#"[{{"job_id":{id}}}]"#);
    let deep = format!(
        r#"[{{"job_id":{id}}},{}{}]"#,
        "[".repeat(64),
        "]".repeat(64)
    );
    let before = world.contents();
    for body in [
        "[",
        "{}",
        "null",
        "7",
        "\"x\"",
        "[{\"job_id\":1]",
        "job_id=1",
        "[1,]",
        "[NaN]",
        &good[1..good.len() - 1],
        &format!("{good}{good}"),
        &format!("{good} x"),
        &deep,
    ] {
        let message = expect_failure(&cancel(&world, body), 200, "INVALID_DATA");
        assert!(message.contains("JSON array"), "{body}: {message}");
    }
    for (header, body) in [
        ("application/json", b"[{\"job_id\":\"\xff\"}]".as_slice()),
        ("text/csv", b"job_id\n\xff\n"),
    ] {
        let reply = send(&world, "POST", CANCEL, &[("Content-Type", header)], body);
        let message = expect_failure(&reply, 200, "INVALID_DATA");
        assert!(message.contains("UTF-8"), "{message}");
    }
    // Cut off in the middle of a number.
    let cut = format!("job_id\n\"{id}");
    expect_failure(&cancel_csv(&world, cut), 200, "INVALID_DATA");
    assert_eq!(world.contents(), before);
}

#[test]
fn a_body_with_nothing_in_it_lacks_a_parameter() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    let before = world.contents();
    for body in ["", " \n", "\u{feff}", "[]", " [ ] "] {
        expect_failure(&cancel(&world, body), 200, "PARAMETER_REQUIRED");
    }
    for body in [
        "",
        "\n\n",
        "job_id",
        "job_id\n",
        "job_id\r\n\r\n",
        &format!("{id}\n"),
        &format!("id\n{id}\n"),
        &format!("name,id\nx,{id}\n"),
    ] {
        expect_failure(&cancel_csv(&world, body), 200, "PARAMETER_REQUIRED");
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn other_types_and_too_much_are_refused() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    let good = format!(r#"[{{"job_id":{id}}}]"#);
    let before = world.contents();
    for header in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "json",
        "",
    ] {
        let reply = send(&world, "POST", CANCEL, &[("Content-Type", header)], &good);
        expect_failure(&reply, 415, "INVALID_DATA");
    }
    let gzip = [("Content-Encoding", "gzip")];
    expect_failure(
        &send(&world, "POST", CANCEL, &gzip, &good),
        415,
        "INVALID_DATA",
    );
    let large = format!("{good}{}", " ".repeat(1 << 20));
    expect_failure(&cancel(&world, &large), 413, "INVALID_DATA");
    // The type goes before the size.
    let reply = send(
        &world,
        "POST",
        CANCEL,
        &[("Content-Type", "text/plain")],
        &large,
    );
    expect_failure(&reply, 415, "INVALID_DATA");
    // A chunked body announces nothing.
    let mut chunked = format!(
        "POST {CANCEL} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        world.admin
    );
    for _ in 0..17 {
        chunked.push_str(&format!("10000\r\n{}\r\n", " ".repeat(0x10000)));
    }
    chunked.push_str("0\r\n\r\n");
    expect_failure(
        &exchange(world.address(), chunked.as_bytes()),
        413,
        "INVALID_DATA",
    );
    assert_eq!(world.contents(), before);
    // Exactly as much as is allowed.
    let full = format!("{good}{}", " ".repeat((1 << 20) - good.len()));
    assert_eq!(data(&cancel(&world, full)), [accepted(id)]);
}

#[test]
fn what_is_echoed_is_what_was_written() {
    let world = World::new();
    let body = r#"[{"job_id":"<a&b>"},{"job_id":12345678901234567890123},{"job_id":1e2},{"job_id":{"a": [1, 2]}}]"#;
    let answers = data(&cancel(&world, body));
    let shown: Vec<&str> = answers
        .iter()
        .map(|answer| answer["errors"]["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        shown,
        [
            "Invalid job_id [<a&b>]",
            "Invalid job_id [12345678901234567890123]",
            "Invalid job_id [1e2]",
            "Invalid job_id [{\"a\": [1, 2]}]",
        ]
    );
    assert_eq!(answers[0]["responseStatus"], json!("FAILURE"));
}
