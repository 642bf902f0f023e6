//! How each interface writes down that something went wrong.

use serde_json::Value;

use super::face::Face;
use crate::support::Reply;

/// Asserts that an answer is a failure in the shape of its interface, and nothing else.
#[track_caller]
pub(super) fn assert_failure(face: Face, reply: &Reply, about: &str) {
    let id = reply.header("x-request-id").unwrap_or_default();
    assert!(!id.is_empty(), "{face:?} {about}: no request id");
    let kind = reply.header("content-type").unwrap_or_default();
    let body = reply.json();
    let text = |name: &str| {
        let found = body[name].as_str();
        found.unwrap_or_else(|| panic!("{face:?} {about}: no text {name} in {body}"))
    };
    let members = |expected: &[&str]| {
        let mut found: Vec<&str> = body
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{face:?} {about}: {body}");
    };
    match face {
        Face::Prospecting => {
            assert_eq!(kind, "application/json");
            members(&["data", "error", "success", "traceId"]);
            assert_eq!(
                (&body["success"], &body["data"]),
                (&Value::Bool(false), &Value::Null)
            );
            assert_eq!(text("traceId"), id);
            for name in ["code", "message", "details"] {
                assert!(body["error"][name].is_string(), "{about}: {body}");
            }
        }
        Face::Jobs => {
            assert_eq!(kind, "application/problem+json");
            let mut expected = vec!["detail", "instance", "status", "title", "type"];
            if reply.status == 422 {
                expected.insert(1, "errors");
                assert!(body["errors"].is_object(), "{about}: {body}");
            }
            members(&expected);
            assert_eq!(body["status"], reply.status);
            assert!(text("instance").starts_with('/'), "{about}: {body}");
        }
        Face::Vault => {
            assert_eq!(kind, "application/json;charset=UTF-8", "{about}");
            let status = text("responseStatus");
            let ours = reply.status >= 500;
            assert_eq!(
                status,
                if ours { "EXCEPTION" } else { "FAILURE" },
                "{about}: {body}"
            );
            let errors = body["errors"].as_array().unwrap();
            assert_eq!(errors.len(), 1, "{about}: {body}");
            assert!(errors[0]["type"].is_string() && errors[0]["message"].is_string());
        }
        Face::Bulk => {
            assert_eq!(kind, "application/problem+json");
            members(&[
                "detail",
                "details",
                "error",
                "instance",
                "requestId",
                "status",
                "title",
                "type",
            ]);
            assert_eq!(text("error"), text("detail"));
            assert_eq!(text("requestId"), id);
            assert_eq!(body["status"], reply.status);
            assert!(body["details"].is_object(), "{about}: {body}");
        }
        Face::Ingest => {
            assert_eq!(kind, "application/json;charset=UTF-8", "{about}");
            members(&[
                "error",
                "message",
                "path",
                "requestId",
                "status",
                "timestamp",
            ]);
            assert_eq!(text("requestId"), id);
            assert_eq!(body["status"], reply.status);
        }
    }
}
