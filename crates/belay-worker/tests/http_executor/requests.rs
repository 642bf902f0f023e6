//! What the receiver gets.

use belay_worker::executors::Finish;
use belay_worker::executors::http::HeaderSource;

use crate::receiver::{Receiver, Reply};
use crate::support::{error_of, run, settings};

const PAYLOAD: &str = r#"{"n": 1.50, "to": "ü"}"#;

#[tokio::test]
async fn the_receiver_gets_the_payload_and_what_names_the_attempt() {
    let receiver = Receiver::always(Reply::ok());
    let (finish, output) = run(settings(receiver.url("/hook/{kind}?job={id}")), PAYLOAD).await;
    assert_eq!(finish, Finish::Completed);
    assert_eq!((output.stdout.as_str(), output.stdout_bytes), ("done", 4));
    let requests = receiver.requests();
    let request = &requests[0];
    assert_eq!(request.line, "POST /hook/hook?job=7 HTTP/1.1");
    assert_eq!(request.body, PAYLOAD);
    for (name, value) in [
        ("content-type", "application/json"),
        ("belay-job-id", "7"),
        ("belay-job-uid", "0b3a"),
        ("belay-attempt", "2"),
        ("belay-max-attempts", "5"),
        ("belay-fence", "17"),
        ("belay-kind", "hook"),
        ("belay-tenant", "3"),
        ("idempotency-key", "0b3a"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!(request.header("belay-cancel"), None);
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn methods_without_a_body_send_none() {
    let receiver = Receiver::always(Reply::ok());
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let mut settings = settings(receiver.url("/"));
        settings.method = method.into();
        assert_eq!(run(settings, PAYLOAD).await.0, Finish::Completed);
        let request = receiver.requests().pop().unwrap();
        assert_eq!(request.line, format!("{method} / HTTP/1.1"));
        let has_body = !["GET", "DELETE"].contains(&method);
        assert_eq!(request.body == PAYLOAD, has_body, "{method}");
        assert_eq!(
            request.header("content-type").is_some(),
            has_body,
            "{method}"
        );
    }
}

#[tokio::test]
async fn headers_of_the_operator_are_sent_and_secrets_appear_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "Bearer s3cret\n").unwrap();
    let receiver = Receiver::always(Reply::status("500 Oh", ""));
    let mut settings = settings(receiver.url("/"));
    settings.headers = [
        ("Authorization", HeaderSource::File(file)),
        ("X-Plain", HeaderSource::Text("s3cret-too".into())),
        ("X-Env", HeaderSource::Env("CARGO_PKG_NAME".into())),
        (
            "Content-Type",
            HeaderSource::Text("application/x.job+json".into()),
        ),
    ]
    .map(|(name, source)| (name.to_owned(), source))
    .into();
    let executor = belay_worker::executors::http::HttpExecutor::new(settings.clone()).unwrap();
    belay_worker::executors::Executor::prepare(&executor).unwrap();
    let (finish, output) = run(settings, "{}").await;
    let request = receiver.requests().pop().unwrap();
    assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
    assert_eq!(request.header("x-plain"), Some("s3cret-too"));
    assert_eq!(request.header("x-env"), Some(env!("CARGO_PKG_NAME")));
    assert_eq!(
        request.header("content-type"),
        Some("application/x.job+json")
    );
    for shown in [
        format!("{executor:?}"),
        format!("{finish:?}"),
        format!("{output:?}"),
    ] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[tokio::test]
async fn a_secret_that_is_missing_is_named_before_anything_is_sent() {
    let receiver = Receiver::always(Reply::ok());
    let mut settings = settings(receiver.url("/"));
    let nowhere = HeaderSource::File("/nowhere/token".into());
    settings.headers.insert("Authorization".into(), nowhere);
    let executor = belay_worker::executors::http::HttpExecutor::new(settings.clone()).unwrap();
    let error = belay_worker::executors::Executor::prepare(&executor).unwrap_err();
    assert!(
        error.contains("/nowhere/token") && error.contains("Authorization"),
        "{error}"
    );
    assert_eq!(
        error_of(&run(settings, "{}").await.0),
        (error.as_str(), true)
    );
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn values_of_the_payload_stay_in_their_place() {
    let receiver = Receiver::always(Reply::ok());
    for (value, place) in [
        ("../../admin", "..%2F..%2Fadmin"),
        ("a?b#c", "a%3Fb%23c"),
        ("%2f..%2f", "%252f..%252f"),
        (
            "x HTTP/1.1\r\nHost: evil\r\n\r\n",
            "x%20HTTP%2F1.1%0D%0AHost%3A%20evil%0D%0A%0D%0A",
        ),
        ("@evil.example", "%40evil.example"),
    ] {
        let payload = serde_json::json!({ "v": value }).to_string();
        let settings = settings(receiver.url("/a/{payload.v}/b?q={payload.v}"));
        assert_eq!(
            run(settings, &payload).await.0,
            Finish::Completed,
            "{value}"
        );
        let request = receiver.requests().pop().unwrap();
        assert_eq!(
            request.line,
            format!("POST /a/{place}/b?q={place} HTTP/1.1")
        );
        assert_eq!(
            request.header("host"),
            Some(receiver.address.to_string().as_str())
        );
    }
}

#[tokio::test]
async fn values_that_lead_elsewhere_fail_the_job_before_anything_is_sent() {
    let receiver = Receiver::always(Reply::ok());
    for payload in [r#"{"v":".."}"#, r#"{"v":""}"#, "{}", r#"{"v":[]}"#] {
        for cancel in [false, true] {
            let mut settings = settings(receiver.url("/a/{payload.v}/b"));
            if cancel {
                // What could not be called off is not begun.
                settings.url = receiver.url("/");
                settings.cancel_url = Some(receiver.url("/a/{payload.v}/b"));
            }
            let (finish, _) = run(settings, payload).await;
            let (error, retry) = error_of(&finish);
            assert!(!retry && error.contains("URL"), "{error}");
        }
    }
    assert_eq!(receiver.connections(), 0);
}
