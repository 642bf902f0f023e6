//! The two forms of an answer.

use serde_json::json;

use super::{BASE, CANCEL, JSON, XML, cancel, expect_failure, queued, send, send_as, wrong_state};
use crate::support::{Reply, World, request};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?><VaultResponse>"#;

#[expect(
    clippy::needless_pass_by_value,
    reason = "tests write the body where they send it"
)]
fn accepting(world: &World, accept: &str, body: impl ToString) -> Reply {
    let headers = [("Accept", accept)];
    send(world, "POST", CANCEL, &headers, body.to_string())
}

#[track_caller]
fn expect_xml(reply: &Reply, status: u16, inside: &str) {
    assert_eq!(reply.header("content-type"), Some(XML));
    assert_eq!(
        (reply.status, reply.text()),
        (status, format!("{HEAD}{inside}</VaultResponse>"))
    );
}

#[test]
fn the_client_chooses() {
    let world = World::new();
    for (accept, form) in [
        ("application/json", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/xml, application/json", JSON),
        ("application/json;q=0.9, application/xml;q=0.1", JSON),
        ("text/html, */*;q=0.1", JSON),
        ("application/xml", XML),
        ("Application/XML; charset=utf-8", XML),
        ("application/xml;q=0.9, application/json;q=0.1", XML),
        ("application/xml, */*;q=0.8", XML),
        ("application/json;q=0, application/*", XML),
    ] {
        let reply = accepting(&world, accept, r#"[{"job_id":4711}]"#);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some(form)),
            "{accept}"
        );
    }
    assert_eq!(cancel(&world, "[{}]").header("content-type"), Some(JSON));
}

#[test]
fn what_cannot_be_answered_is_refused_and_changes_nothing() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    let before = world.contents();
    for accept in ["text/html", "text/xml", "application/json;q=0", "*/*;q=0"] {
        let reply = accepting(&world, accept, format!(r#"[{{"job_id":{id}}}]"#));
        expect_failure(&reply, 406, "OPERATION_NOT_ALLOWED");
    }
    for (method, path) in [
        ("GET", "/api".to_owned()),
        ("POST", format!("{BASE}/auth")),
        ("POST", format!("{BASE}/keep-alive")),
        ("DELETE", format!("{BASE}/session")),
        ("GET", format!("{BASE}/services/jobs/{id}")),
        ("GET", format!("{BASE}/services/jobs/monitors")),
    ] {
        let reply = send(&world, method, &path, &[("Accept", "text/html")], "");
        expect_failure(&reply, 406, "OPERATION_NOT_ALLOWED");
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn answers_come_as_xml() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    let body = json!([{"job_id": id}, {"job_id": "<a&b>"}, {"job_id": "a\u{1}\u{0}b\ttab"}, {}]);
    let reply = accepting(&world, "application/xml", body);
    let refused = |kind: &str, message: &str| {
        format!(
            "<item><responseStatus>FAILURE</responseStatus><errors><type>{kind}</type><message>{message}</message></errors></item>"
        )
    };
    expect_xml(
        &reply,
        200,
        &format!(
            "<responseStatus>SUCCESS</responseStatus><data><item><responseStatus>SUCCESS</responseStatus><data><id>{id}</id></data></item>{}{}{}</data>",
            refused("INVALID_DATA", "Invalid job_id [&lt;a&amp;b&gt;]"),
            refused("INVALID_DATA", "Invalid job_id [a\u{fffd}\u{fffd}b\ttab]"),
            refused("PARAMETER_REQUIRED", "Missing required parameter [job_id]"),
        ),
    );
    assert_eq!(super::cancel_ids(&world, &[id]), [wrong_state(id)]);
}

#[test]
fn the_neighbours_come_as_xml_too() {
    let world = World::new();
    let xml = [("Accept", "application/xml")];
    let id = queued(&world, 1)[0];
    let of = |path: &str| send(&world, "GET", path, &xml, "");
    let text = of(&format!("{BASE}/services/jobs/{id}")).text();
    assert!(
        text.contains(&format!(
            "<links><link><rel>self</rel><href>/api/v26.1/services/jobs/{id}</href>"
        )),
        "{text}"
    );
    let text = of(&format!("{BASE}/services/jobs/monitors")).text();
    assert!(
        text.contains(&format!(
            "<jobs><job><job_id>{id}</job_id><title>noop</title>"
        )),
        "{text}"
    );
    assert!(
        text.contains("<url>/api/v26.1/services/jobs/monitors?limit=50&amp;offset=0</url>"),
        "{text}"
    );
    let address = world.address();
    let text = request(address, "GET", "/api", &xml, b"").text();
    assert_eq!(
        text,
        format!(
            "{HEAD}<responseStatus>SUCCESS</responseStatus><values><v25.3>http://test/api/v25.3</v25.3><v26.1>http://test/api/v26.1</v26.1></values></VaultResponse>"
        )
    );
}

#[test]
fn failures_come_as_xml_too() {
    let world = World::new();
    let failure = |kind: &str, message: &str| {
        format!(
            "<responseStatus>FAILURE</responseStatus><errors><error><type>{kind}</type><message>{message}</message></error></errors>"
        )
    };
    let xml = [("Accept", "application/json;q=0.5, application/xml")];
    let reply = send(&world, "GET", "/api/v26.1/nothing", &xml, "");
    expect_xml(
        &reply,
        404,
        &failure("MALFORMED_URL", "there is nothing at this path"),
    );
    let reply = send(&world, "PUT", CANCEL, &xml, "");
    let message = "PUT is not possible here; possible are POST";
    expect_xml(&reply, 405, &failure("METHOD_NOT_SUPPORTED", message));
    assert_eq!(reply.header("allow"), Some("POST"));
    let reply = send_as(&world, "belay_x", "POST", CANCEL, &xml, "");
    let message = "this API key is not known; check that it was copied whole";
    expect_xml(&reply, 200, &failure("INVALID_SESSION_ID", message));
    let reply = send(&world, "POST", &format!("{BASE}/auth"), &xml, "");
    assert!(
        reply
            .text()
            .contains("<errorType>AUTHENTICATION_FAILED</errorType>")
    );
}
