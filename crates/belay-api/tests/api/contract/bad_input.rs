//! What no client should send. None of it may be a defect, be answered in the words of another interface, or change anything.

use belay_core::JobState;

use super::bad::{Bad, all};
use super::face::{ALL, Face, Meaning};
use super::shape::assert_failure;
use crate::support::World;

#[test]
fn bad_input_is_refused_in_the_right_words_and_changes_nothing() {
    let world = World::new();
    // Something that could be hit.
    for state in [
        JobState::Open,
        JobState::Queued,
        JobState::Scheduled,
        JobState::Completed,
    ] {
        world.make(state);
    }
    let list = all(&world);
    assert!(list.len() >= 150, "{} entries", list.len());
    for face in ALL {
        let own = list.iter().filter(|bad| bad.face == face).count();
        assert!(own >= 25, "{face:?}: {own} entries");
    }
    let before = world.contents();
    let mut wrong = Vec::new();
    for Bad {
        face,
        ask,
        status,
        single,
    } in &list
    {
        let reply = ask.clone().key(&world.admin).send(&world);
        let shown: String = String::from_utf8_lossy(&ask.body)
            .chars()
            .take(80)
            .collect();
        let about = format!("{} {} {:?} {shown}", ask.method, ask.path, ask.headers);
        if reply.status != *status {
            wrong.push(format!(
                "{face:?} {about}: expected {status}, found {} {}",
                reply.status,
                reply.text()
            ));
            continue;
        }
        if *single {
            // One entry of a list is bad, and the list is not.
            if face.meaning(&reply) == Meaning::Accepted {
                wrong.push(format!("{face:?} {about}: accepted"));
            }
        } else {
            assert_failure(*face, &reply, &about);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.contents(), before);
}

#[test]
fn logins_refuse_in_the_words_of_their_standard() {
    let world = World::new();
    let before = world.contents();
    let key = &world.admin;
    for (path, form, status, word) in [
        ("/auth/tokens", String::new(), 400, "invalid_request"),
        ("/auth/tokens", "grant_type=".into(), 400, "invalid_request"),
        ("/auth/tokens", format!("grant_type=password&client_id=root&client_secret={key}"), 400, "unsupported_grant_type"),
        ("/auth/tokens", "grant_type=client_credentials&client_id=root&client_secret=belay_x".into(), 401, "invalid_client"),
        ("/auth/tokens", format!("grant_type=client_credentials&client_id=other&client_secret={key}"), 401, "invalid_client"),
        ("/auth/tokens", format!("grant_type=client_credentials&client_id=root&client_secret={key}&scope=everything"), 400, "invalid_scope"),
        ("/services/a360/token", String::new(), 400, "invalid_grant"),
        ("/services/a360/token", format!("grant_type=password&subject_token={key}"), 400, "invalid_grant"),
        ("/services/a360/token", "grant_type=urn:salesforce:grant-type:external:cdp&subject_token=belay_x&subject_token_type=urn:ietf:params:oauth:token-type:access_token".into(), 400, "invalid_grant"),
        ("/services/a360/token", format!("grant_type=urn:salesforce:grant-type:external:cdp&subject_token={key}&subject_token_type=other"), 400, "invalid_grant"),
    ] {
        let reply = super::face::Ask::new("POST", path)
            .with("Content-Type", "application/x-www-form-urlencoded")
            .body(form.clone())
            .send(&world);
        assert_eq!(reply.status, status, "{path} {form}: {}", reply.text());
        assert_eq!(reply.json()["error"], word, "{path} {form}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    let wrong = super::face::Ask::new("POST", "/api/v26.1/auth")
        .with("Content-Type", "application/x-www-form-urlencoded")
        .body("username=root&password=belay_x")
        .send(&world);
    assert_failure(Face::Vault, &wrong, "login");
    assert_eq!(wrong.json()["errorType"], "AUTHENTICATION_FAILED");
    assert_eq!(world.contents(), before);
}
