//! What holds for every route: paths, methods, types, sizes, request ids, limits.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroU32;
use std::time::Duration;

use belay_api::RateLimit;
use belay_core::JobState;
use belay_testkit::eventually;

use super::face::{ALL, Ask, Face, Meaning, group};
use super::shape::assert_failure;
use crate::support::{World, exchange};

/// Paths that look like those of an interface and are none of its routes.
fn unknown_routes(world: &World, face: Face) -> Vec<String> {
    match face {
        Face::Prospecting => {
            let group = group(world, 1);
            vec![
                "/v1/accounts/x/y/z".into(),
                format!("/v1/accounts/{group}/prospecting/6b065cb0000000000000004d/nothing"),
                format!("/v1/accounts/{group}//prospecting"),
                format!("/v1/accounts/{group}/PROSPECTING"),
            ]
        }
        Face::Jobs => vec![
            "/v1/jobs/1/nothing".into(),
            "/v1/jobs/1//cancel".into(),
            "/v1/jobs//".into(),
            "/v1/jobs/1/cancel/now".into(),
        ],
        Face::Vault => vec![
            "/api/v26.1/services/jobs/actions/nothing".into(),
            "/api/v26.1/services/nothing".into(),
            "/api/v99.9/services/jobs/1".into(),
            "/api/v26.1//services/jobs/1".into(),
        ],
        Face::Bulk => vec![
            "/api/actions/bulk/nothing".into(),
            "/api/actions/bulk/jobs/1/nothing".into(),
            "/api/actions/bulk/jobs//".into(),
        ],
        Face::Ingest => vec![
            "/api/v1/ingest/nothing".into(),
            "/api/v1/ingest/jobs/1/nothing".into(),
            "/api/v1/ingest/jobs//".into(),
        ],
    }
}

#[test]
fn unknown_routes_are_answered_in_the_words_of_the_interface_they_lie_in() {
    let world = World::new();
    for face in ALL {
        for path in unknown_routes(&world, face) {
            for method in ["GET", "POST", "DELETE"] {
                let reply = Ask::new(method, &path).key(&world.admin).send(&world);
                assert_eq!(
                    face.meaning(&reply),
                    Meaning::Missing,
                    "{face:?} {method} {path}: {reply:?}"
                );
                assert_failure(face, &reply, &path);
            }
        }
    }
}

#[test]
fn methods_are_told_and_others_refused() {
    let world = World::new();
    let made = world.make(JobState::Queued);
    for face in ALL {
        let path = face.cancel(&world, made.id).path;
        let options = Ask::new("OPTIONS", &path).send(&world);
        let allow = options.header("allow").unwrap_or_default().to_owned();
        assert_eq!((options.status, options.body.len()), (204, 0), "{face:?}");
        for method in ["TRACE", "BREW", "DELETE", "PUT", "GET", "HEAD"] {
            let allowed = allow.split(", ").any(|known| known == method);
            if allowed {
                continue;
            }
            let reply = Ask::new(method, &path).key(&world.admin).send(&world);
            assert_eq!(reply.status, 405, "{face:?} {method}: {reply:?}");
            assert_eq!(reply.header("allow"), Some(allow.as_str()), "{face:?}");
            if method != "HEAD" {
                assert_failure(face, &reply, method);
            }
        }
    }
    assert_eq!(world.seen(made.id).state, JobState::Queued);
}

#[test]
fn head_is_get_without_a_body_and_one_slash_at_the_end_is_tolerated() {
    let world = World::new();
    for face in ALL {
        let made = world.make(JobState::Queued);
        let mut ask = face.look(&world, made.id);
        let whole = ask.send(&world);
        assert_eq!(whole.status, 200, "{face:?}: {whole:?}");
        ask.method = "HEAD";
        let head = ask.send(&world);
        assert_eq!((head.status, head.body.len()), (200, 0), "{face:?}");
        assert_eq!(head.header("content-type"), whole.header("content-type"));

        let mut ask = face.cancel(&world, made.id);
        ask.path.push('/');
        let reply = ask.send(&world);
        assert_eq!(
            face.meaning(&reply),
            Meaning::Accepted,
            "{face:?}: {reply:?}"
        );
        ask.path.push('/');
        let reply = ask.send(&world);
        assert_eq!(
            face.meaning(&reply),
            Meaning::Missing,
            "{face:?}: {reply:?}"
        );
    }
}

#[test]
fn the_callers_request_id_comes_back_and_what_is_none_is_replaced() {
    let world = World::new();
    let made = world.make(JobState::Completed);
    for face in ALL {
        for (given, kept) in [("a.b-C_9", true), ("no spaces", false), ("x/y", false)] {
            let ask = face.cancel(&world, made.id).with("X-Request-Id", given);
            let reply = ask.send(&world);
            let id = reply.header("x-request-id").unwrap();
            assert_eq!(id == given, kept, "{face:?} {given}: {id}");
            if face != Face::Vault {
                assert_failure(face, &reply, given);
            }
        }
    }
}

#[test]
fn bodies_that_are_broken_too_large_or_of_another_type_change_nothing() {
    let world = World::new();
    let made = world.make(JobState::Queued);
    let before = world.contents();
    for face in ALL {
        let cancel = |body: &[u8]| face.cancel(&world, made.id).body(body);
        for body in [&b"{"[..], b"{\"a\":1,}", b"\xff\xfe", b"nothing", b"{} {}"] {
            let reply = cancel(body).send(&world);
            assert_eq!(
                face.meaning(&reply),
                Meaning::Malformed,
                "{face:?} {body:?}: {reply:?}"
            );
            assert_failure(face, &reply, "broken");
        }
        let large = format!("{{\"reason\": \"{}\"}}", "x".repeat(2_000_000));
        let reply = cancel(large.as_bytes()).send(&world);
        assert_eq!(
            face.meaning(&reply),
            Meaning::TooLarge,
            "{face:?}: {reply:?}"
        );
        assert_failure(face, &reply, "large");

        let ask = face.cancel(&world, made.id);
        let mut chunked = format!(
            "{} {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n",
            ask.method, ask.path
        );
        for (name, value) in &ask.headers {
            chunked.push_str(&format!("{name}: {value}\r\n"));
        }
        chunked.push_str("\r\n");
        for part in large.as_bytes().chunks(60_000) {
            chunked.push_str(&format!(
                "{:x}\r\n{}\r\n",
                part.len(),
                std::str::from_utf8(part).unwrap()
            ));
        }
        chunked.push_str("0\r\n\r\n");
        let reply = exchange(world.address(), chunked.as_bytes());
        assert_eq!(
            face.meaning(&reply),
            Meaning::TooLarge,
            "{face:?}: {reply:?}"
        );
        assert_failure(face, &reply, "large and chunked");

        let reply = cancel(b"{}")
            .without("Content-Type")
            .with("Content-Type", "text/plain")
            .send(&world);
        assert_eq!(
            face.meaning(&reply),
            Meaning::WrongType,
            "{face:?}: {reply:?}"
        );
        assert_failure(face, &reply, "type");

        let reply = face
            .cancel(&world, made.id)
            .with("Accept", "text/html")
            .send(&world);
        assert_eq!(
            face.meaning(&reply),
            Meaning::NotAcceptable,
            "{face:?}: {reply:?}"
        );
        assert_failure(face, &reply, "accept");
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn types_are_compared_without_case_and_parameters() {
    let world = World::new();
    for face in ALL {
        let made = world.make(JobState::Queued);
        let mut ask = face
            .cancel(&world, made.id)
            .without("Content-Type")
            .with("Content-Type", "Application/JSON; charset=utf-8")
            .with("Accept", "text/html;q=0.9, */*;q=0.1");
        if ask.body.is_empty() {
            ask = ask.body("\u{feff}{\"reason\": \"asked\", \"of no meaning\": [1]}");
        }
        let reply = ask.send(&world);
        assert_eq!(
            face.meaning(&reply),
            Meaning::Accepted,
            "{face:?}: {reply:?}"
        );
    }
}

#[test]
fn whoever_asks_too_often_is_told_when_to_come_back() {
    for face in ALL {
        let world = World::with(|builder| {
            builder.rate_limit(RateLimit {
                per_second: NonZeroU32::MIN,
                burst: NonZeroU32::MIN,
            })
        });
        let made = world.make(JobState::Queued);
        let ask = face.cancel(&world, made.id);
        let reply = ask.send(&world);
        assert_eq!(
            face.meaning(&reply),
            Meaning::Accepted,
            "{face:?}: {reply:?}"
        );
        // The second one within the same second.
        let limited = eventually(Duration::from_secs(20), || {
            let reply = ask.send(&world);
            (face.meaning(&reply) == Meaning::Limited).then_some(reply)
        });
        assert_failure(face, &limited, "limit");
        let seconds: u64 = limited.header("retry-after").unwrap().parse().unwrap();
        assert!(seconds >= 1);
        if face != Face::Vault {
            assert_eq!(limited.status, 429);
        }
    }
}

#[test]
fn what_is_switched_off_is_not_there_and_the_others_are() {
    for off in ALL {
        let world = World::with(|builder| builder.without_dialect(off.dialect()));
        for face in ALL {
            let made = world.make(JobState::Queued);
            let reply = face.cancel(&world, made.id).send(&world);
            if face == off {
                assert!(matches!(reply.status, 404), "{face:?}: {reply:?}");
                assert_eq!(world.seen(made.id).state, JobState::Queued);
            } else {
                assert_eq!(
                    face.meaning(&reply),
                    Meaning::Accepted,
                    "{face:?} without {off:?}: {reply:?}"
                );
            }
        }
    }
}

/// The bytes of a request.
fn bytes(ask: &Ask) -> Vec<u8> {
    let mut text = format!("{} {} HTTP/1.1\r\nHost: test\r\n", ask.method, ask.path);
    for (name, value) in &ask.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n", ask.body.len()));
    [text.into_bytes(), ask.body.clone()].concat()
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_nothing_half_done() {
    let world = World::new();
    for face in ALL {
        // Before the request is whole: nothing.
        let made = world.make(JobState::Queued);
        let ask = face.cancel(&world, made.id);
        let ask = if ask.body.is_empty() {
            ask.body("{}")
        } else {
            ask
        };
        let whole = bytes(&ask);
        let mut stream = TcpStream::connect(world.address()).unwrap();
        stream.write_all(&whole[..whole.len() - 1]).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        drop(stream);
        // After it: all of it, or nothing of it.
        let other = world.make(JobState::Queued);
        let ask = face.cancel(&world, other.id);
        let mut stream = TcpStream::connect(world.address()).unwrap();
        stream.write_all(&bytes(&ask)).unwrap();
        drop(stream);
        let reply = face.cancel(&world, other.id).send(&world);
        let now = world.seen(other.id);
        assert_eq!(now.state, JobState::Cancelled, "{face:?}: {reply:?}");
        assert_eq!(now.cancel().unwrap().interface, face.via());
        assert_eq!(world.seen(made.id).state, JobState::Queued, "{face:?}");
    }
}
