//! Clients that leave in the middle: what they asked for happens whole or not at all, and the server goes on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use belay_core::JobState;
use belay_testkit::eventually;
use diesel::connection::SimpleConnection;

use super::faces::{Ask, FACES};
use super::races::until_waiting;
use super::states::cancels;
use crate::support::World;

/// Sends this and leaves. Waits until the server has noticed: it closes the connection too.
fn cut_off(world: &World, bytes: &[u8]) {
    let mut client = TcpStream::connect(world.address()).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    client.write_all(bytes).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    // Whether it answers before it closes, and how, is its own affair: nobody listens.
    let _ = client.read_to_end(&mut rest);
}

#[test]
fn a_body_that_never_arrives_whole_cancels_nothing() {
    let world = World::new();
    for face in &FACES {
        let id = world.make(JobState::Queued).id;
        let ask = face.cancel_of(&world, id);
        let ask = if ask.body.is_empty() {
            ask.body("{\"reason\":\"half\"}")
        } else {
            ask
        };
        let before = world.contents();
        let half = &ask.body[..ask.body.len() / 2];
        let announced = [ask.head(ask.body.len()).as_slice(), half].concat();
        let whole = ask.chunked();
        let chunked = &whole[..whole.len() - 5];
        let head = &announced[..announced.len() - half.len() - 2];
        // Even when what came is a whole document.
        let document = [ask.head(ask.body.len() + 1).as_slice(), &ask.body].concat();
        for bytes in [&announced, chunked, head, &document, b"POST /v1"] {
            cut_off(&world, bytes);
        }
        // Nor do pieces that are none.
        let head = String::from_utf8(ask.head(0)).unwrap();
        let head = head.replace("Content-Length: 0", "Transfer-Encoding: chunked");
        let document = String::from_utf8(ask.body.clone()).unwrap();
        let piece = format!("{:x}\r\n{document}", document.len());
        for body in [
            "zz\r\n{}",
            &format!("{piece}xx\r\n0\r\n\r\n"),
            &format!("{piece}\r\n-1\r\n"),
        ] {
            cut_off(&world, format!("{head}{body}").as_bytes());
        }
        assert_eq!(world.contents(), before, "{}", face.name);
        face.accepted(&ask.send(world.address()), &world.seen(id));
    }
}

#[test]
fn a_client_that_does_not_wait_for_the_answer_has_cancelled_once_and_whole() {
    let world = World::new();
    for face in &FACES {
        for state in [JobState::Queued, JobState::Scheduled] {
            let id = world.make(state).id;
            let mut holder = world.test_db.conn();
            holder
                .batch_execute(&format!(
                    "begin; select from belay.job where id = {id} for update"
                ))
                .unwrap();
            let mut client = TcpStream::connect(world.address()).unwrap();
            let ask = face.cancel_of(&world, id);
            client.write_all(&ask.bytes()).unwrap();
            until_waiting(&world, 1);
            drop(client);
            holder.batch_execute("rollback").unwrap();
            eventually(Duration::from_secs(30), || {
                (world.seen(id).state == JobState::Cancelled).then_some(())
            });
            assert_eq!(cancels(&world, id).len(), 1, "{}", face.name);
            assert_eq!(
                face.word(&world, id),
                face.word_for(JobState::Cancelled),
                "{}",
                face.name
            );
        }
    }
}

#[test]
fn a_job_whose_request_never_arrives_whole_is_not_made() {
    let world = World::new();
    let ingest = r#"{"object":"o","sourceName":"s","operation":"upsert"}"#;
    let key = world
        .db
        .read(|c| belay_core::query::tenant_by_id(c, &belay_core::id::JobRef::number(1)));
    let group = format!("/v1/accounts/{}/prospecting", key.unwrap().key());
    for (path, body) in [
        (group.as_str(), r#"{"type":"noop"}"#),
        ("/v1/jobs", r#"{"typeId":1,"contactId":1}"#),
        ("/api/actions/bulk/jobs", r#"{"action_type":"noop"}"#),
        ("/api/v1/ingest/jobs", ingest),
    ] {
        let ask = Ask::new("POST", path)
            .key(&world.admin)
            .with("Customer-Id", "1");
        let document = [ask.head(body.len() + 1).as_slice(), body.as_bytes()].concat();
        let before = world.contents();
        cut_off(&world, &document);
        assert_eq!(world.contents(), before, "{path}");
        let whole = ask.body(body).send(world.address());
        assert!(
            matches!(whole.status, 201 | 202),
            "{path}: {}",
            whole.text()
        );
    }
}
