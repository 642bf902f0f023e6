//! What every path of every interface does the same way.

use belay_core::JobState;

use super::faces::{Ask, FACES, Face};
use super::shapes::Wrong;
use crate::support::{World, exchange};

/// A queued job of the tenant `default`, cancelled by that request.
fn fresh(world: &World, face: &Face) -> (i64, Ask) {
    let id = world.make(JobState::Queued).id;
    (id, face.cancel_of(world, id))
}

/// The same without the header of that name.
fn without(mut ask: Ask, name: &str) -> Ask {
    ask.headers.retain(|(other, _)| other != name);
    ask
}

#[test]
fn unknown_routes_below_a_prefix_are_not_found_whoever_asks_and_how() {
    let world = World::new();
    for face in &FACES {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            let ask = Ask::new(method, face.nowhere);
            for ask in [ask.clone(), ask.key("nobody's")] {
                face.is_fault(&ask.send(world.address()), Wrong::NotFound, &ask);
            }
        }
        let ask = Ask::new("HEAD", face.nowhere);
        let reply = ask.send(world.address());
        assert_eq!((reply.status, reply.body.as_slice()), (404, &b""[..]));
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones_whoever_asks() {
    let world = World::new();
    for face in &FACES {
        let (id, ask) = fresh(&world, face);
        let (method, allow) = face.wrong_method;
        for method in [method, "TRACE", "BREW", "get"] {
            for ask in [ask.clone(), without(ask.clone(), "Authorization")] {
                let ask = ask.method(method).body("");
                let reply = ask.send(world.address());
                face.is_fault(&reply, Wrong::Method, &ask);
                assert_eq!(reply.header("allow"), Some(allow), "{}", face.name);
            }
        }
        assert_eq!(world.seen(id).state, JobState::Queued, "{}", face.name);
    }
}

#[test]
fn head_answers_as_get_does_without_the_body() {
    let world = World::new();
    for face in &FACES {
        let (id, cancel) = fresh(&world, face);
        let get = face.read_of(&world, id).with("X-Request-Id", "same");
        let head = get.clone().method("HEAD");
        let (full, short) = (get.send(world.address()), head.send(world.address()));
        assert_eq!((short.status, short.body.as_slice()), (200, &b""[..]));
        for name in [
            "content-type",
            "x-request-id",
            "cache-control",
            "content-length",
        ] {
            assert_eq!(
                short.header(name),
                full.header(name),
                "{} {name}",
                face.name
            );
        }
        let missing = without(head, "Authorization").send(world.address());
        let refused = if face.name == "vault" { 200 } else { 401 };
        assert_eq!(
            (missing.status, missing.body.as_slice()),
            (refused, &b""[..])
        );
        if !face.wrong_method.1.contains("GET") {
            let reply = cancel.method("HEAD").body("").send(world.address());
            assert_eq!((reply.status, reply.body.as_slice()), (405, &b""[..]));
            assert_eq!(reply.header("allow"), Some(face.wrong_method.1));
        }
    }
}

#[test]
fn options_are_told_to_everybody() {
    let world = World::new();
    for face in &FACES {
        let (id, ask) = fresh(&world, face);
        for ask in [ask.clone(), without(ask, "Authorization")] {
            let reply = ask.method("OPTIONS").body("").send(world.address());
            assert_eq!((reply.status, reply.body.as_slice()), (204, &b""[..]));
            assert_eq!(reply.header("allow"), Some(face.wrong_method.1));
            assert!(reply.header("x-request-id").is_some());
        }
        assert_eq!(world.seen(id).state, JobState::Queued);
    }
}

#[test]
fn one_slash_at_the_end_is_fine_and_two_together_are_not() {
    let world = World::new();
    for face in &FACES {
        let (id, ask) = fresh(&world, face);
        let path = ask.path.clone();
        let (before, last) = path.rsplit_once('/').unwrap();
        for path in [format!("{path}//"), format!("{before}//{last}")] {
            let ask = ask.clone().path(path);
            face.is_fault(&ask.send(world.address()), Wrong::NotFound, &ask);
        }
        assert_eq!(world.seen(id).state, JobState::Queued);
        let was = world.seen(id);
        let reply = ask.path(format!("{path}/")).send(world.address());
        face.accepted(&reply, &was);
        assert_eq!(world.seen(id).state, JobState::Cancelled);
        let read = face.read_of(&world, id);
        let path = format!("{}/", read.path);
        assert_eq!(read.path(path).send(world.address()).status, 200);
    }
}

#[test]
fn a_malformed_body_cancels_nothing() {
    let world = World::new();
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let very_deep = "[".repeat(200_000);
    for face in &FACES {
        let (_, ask) = fresh(&world, face);
        let before = world.contents();
        for body in [
            "{",
            "[",
            "]",
            "{]",
            "nope",
            "'x'",
            "{} {}",
            "[] []",
            "{\"a\":1,}",
            "\u{feff}\u{feff}{}",
            "7",
            "\"x\"",
            "true",
            &deep,
            &very_deep,
        ] {
            let ask = ask.clone().body(body);
            face.is_fault(&ask.send(world.address()), Wrong::Malformed, &ask);
        }
        for body in [
            &b"\xff\xfe{\0}\0"[..],
            b"{\"a\":\"\xff\"}",
            b"[{\"job_id\":\"\xc3\x28\"}]",
        ] {
            let ask = ask.clone().body(body);
            face.is_fault(&ask.send(world.address()), Wrong::Malformed, &ask);
        }
        assert_eq!(world.contents(), before, "{}", face.name);
    }
}

#[test]
fn a_body_above_the_limit_cancels_nothing_however_it_arrives() {
    let world = World::new();
    // At once, because a server that has answered goes on listening for a moment to what is still being sent.
    std::thread::scope(|scope| {
        for face in &FACES {
            scope.spawn(|| above_the_limit(&world, face));
        }
    });
}

fn above_the_limit(world: &World, face: &Face) {
    let (id, ask) = fresh(world, face);
    let mut body = if ask.body.is_empty() {
        b"{}".to_vec()
    } else {
        ask.body.clone()
    };
    body.resize((1 << 20) + 1, b' ');
    let large = ask.clone().body(body.clone());
    face.is_fault(&large.send(world.address()), Wrong::TooLarge, &large);
    let reply = exchange(world.address(), &large.chunked());
    face.is_fault(&reply, Wrong::TooLarge, &large);
    // Announced alone is enough.
    let reply = exchange(world.address(), &ask.head(usize::MAX / 2));
    face.is_fault(&reply, Wrong::TooLarge, &ask);
    assert_eq!(world.seen(id).state, JobState::Queued);
    // Exactly the limit is fine.
    let was = world.seen(id);
    body.pop();
    let most = ask.body(body);
    face.accepted(&exchange(world.address(), &most.chunked()), &was);
    assert_eq!(world.seen(id).state, JobState::Cancelled);
}

#[test]
fn bodies_of_another_type_cancel_nothing_and_parameters_of_a_type_are_ignored() {
    let world = World::new();
    for face in &FACES {
        let (id, ask) = fresh(&world, face);
        let plain = without(ask, "Content-Type");
        let plain = if plain.body.is_empty() {
            plain.body("{}")
        } else {
            plain
        };
        for media in [
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "json",
            "application/json+x",
            "multipart/form-data; boundary=x",
            "*/*",
            "",
        ] {
            let ask = plain.clone().with("Content-Type", media);
            face.is_fault(&ask.send(world.address()), Wrong::MediaType, &ask);
        }
        let zipped = plain.clone().with("Content-Encoding", "gzip");
        face.is_fault(&zipped.send(world.address()), Wrong::MediaType, &zipped);
        assert_eq!(world.seen(id).state, JobState::Queued, "{}", face.name);
        for media in [
            None,
            Some("application/json"),
            Some("APPLICATION/Json"),
            Some("application/json; charset=utf-8"),
            Some("application/json;x=y"),
        ] {
            let (id, ask) = fresh(&world, face);
            let ask = without(ask, "Content-Type");
            let ask = match media {
                Some(media) => ask.with("Content-Type", media),
                None => ask,
            };
            face.accepted(&ask.send(world.address()), &world.seen(id));
        }
        // A byte order mark is skipped, and members that nobody knows are ignored.
        let (id, ask) = fresh(&world, face);
        let known = String::from_utf8(ask.body.clone()).unwrap();
        let more = match known.as_str() {
            "" => "{\"of no meaning\":[1,null]}".to_owned(),
            known => known.replacen('{', "{\"of no meaning\":[1,null],", 1),
        };
        let marked = ask.body(format!("\u{feff}{more}"));
        face.accepted(&marked.send(world.address()), &world.seen(id));
        let (id, ask) = fresh(&world, face);
        if ask.body.is_empty() {
            // Without a body its type is nothing.
            let ask = ask.with("Content-Type", "text/plain");
            face.accepted(&ask.send(world.address()), &world.seen(id));
        }
    }
}

#[test]
fn who_accepts_nothing_that_could_be_answered_is_told_so_and_nothing_is_done() {
    let world = World::new();
    for face in &FACES {
        let (id, ask) = fresh(&world, face);
        for accept in [
            "text/html",
            "image/*",
            "*/*;q=0",
            "application/json;q=0",
            "json",
        ] {
            for ask in [ask.clone(), face.read_of(&world, id)] {
                let ask = ask.with("Accept", accept);
                face.is_fault(&ask.send(world.address()), Wrong::NotAcceptable, &ask);
            }
        }
        assert_eq!(world.seen(id).state, JobState::Queued);
        let problems = ask.clone().with("Accept", "application/problem+json");
        let reply = problems.send(world.address());
        if face.has_problems {
            face.accepted(&reply, &world.seen(id));
        } else {
            face.is_fault(&reply, Wrong::NotAcceptable, &problems);
            assert_eq!(world.seen(id).state, JobState::Queued);
        }
        for accept in [
            "application/json",
            "application/*",
            "*/*",
            "text/html, */*;q=0.1",
            "",
        ] {
            let (id, ask) = fresh(&world, face);
            let ask = ask.with("Accept", accept);
            face.accepted(&ask.send(world.address()), &world.seen(id));
        }
    }
}

#[test]
fn the_id_of_a_request_is_the_callers_when_it_is_plain() {
    let world = World::new();
    let longest = "x".repeat(64);
    let too_long = "x".repeat(65);
    for face in &FACES {
        let (id, ask) = fresh(&world, face);
        let nobody = face.read("1", face.no_id.0).key("nobody's");
        for given in ["a", "A.b_c-9", &longest] {
            for ask in [
                ask.clone(),
                face.read_of(&world, id),
                nobody.clone(),
                Ask::new("GET", face.nowhere),
            ] {
                let reply = ask.with("X-Request-Id", given).send(world.address());
                assert_eq!(reply.header("x-request-id"), Some(given), "{}", face.name);
            }
        }
        for given in ["", "a b", "a/b", "<script>", "\u{e4}", "a,b", &too_long] {
            let ask = nobody.clone().with("X-Request-Id", given);
            let reply = ask.send(world.address());
            assert_ne!(reply.header("x-request-id"), Some(given));
            // That it is the one in the body is part of the shape.
            face.is_fault(&reply, Wrong::Unauthenticated, &ask);
        }
        let two = [0, 1].map(|_| nobody.send(world.address()));
        assert_ne!(two[0].header("x-request-id"), two[1].header("x-request-id"));
    }
}

#[test]
fn a_connection_can_be_used_again_after_a_refusal() {
    let world = World::new();
    for face in &FACES {
        let (id, ask) = fresh(&world, face);
        let body = "{".repeat(2000);
        let refused = [
            without(ask.clone(), "Authorization"),
            ask.clone().method("BREW"),
            ask.clone().path(face.nowhere),
            without(ask.clone(), "Content-Type").with("Content-Type", "text/plain"),
            ask.clone(),
        ];
        let last = face.read_of(&world, id).bytes();
        for ask in refused {
            let kept = String::from_utf8(ask.body(body.as_str()).bytes()).unwrap();
            let kept = kept.replace("Connection: close\r\n", "");
            let mut both = kept.into_bytes();
            both.extend_from_slice(&last);
            let reply = exchange(world.address(), &both);
            let rest = reply.text();
            assert!(
                rest.contains("HTTP/1.1 200 OK\r\n"),
                "{} {}: {rest}",
                face.name,
                reply.status
            );
            assert!(rest.ends_with('}'), "{rest}");
        }
        assert_eq!(world.seen(id).state, JobState::Queued, "{}", face.name);
    }
}
