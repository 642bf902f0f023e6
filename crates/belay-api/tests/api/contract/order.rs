//! What is wrong first is told first: route, method, credential, scope, path, tenant, job, type and body, state.

use belay_core::JobState;

use super::faces::{Ask, FACES};
use super::shapes::Wrong;
use crate::support::World;

#[test]
fn of_everything_that_is_wrong_the_first_in_order_is_told() {
    let world = World::new();
    let other = world.tenant("other");
    let key = |name: &str, scopes: &[&str]| world.key(name, scopes, Some(&[1]));
    let without = key("without", &["read"]);
    let scopes: Vec<&str> = FACES.iter().map(|face| face.write_scope).collect();
    let with = key("with", &scopes);
    let done = world.seen(world.make(JobState::Completed).id);
    let before = world.contents();
    for face in &FACES {
        let (here, there) = ((face.tenant)(&world, 1), (face.tenant)(&world, other));
        let (bad_id, wrong_id) = face.no_id;
        let bad_body = |ask: Ask| ask.with("Content-Type", "text/plain").body("{");
        // Where the job stands in the body, its id says nothing before the body is read.
        let in_path = face.name != "vault";
        let mut asks = vec![
            (Ask::new("BREW", face.nowhere), Wrong::NotFound),
            (face.cancel(&there, bad_id).method("BREW"), Wrong::Method),
            (
                face.cancel(&there, bad_id).key("belay_x"),
                Wrong::Unauthenticated,
            ),
            (face.cancel(&there, bad_id).key(&without), Wrong::Forbidden),
            (face.cancel(&there, face.nobody).key(&with), face.no_access),
        ];
        if in_path {
            // What is no id is no job in `ingest`, which comes after the tenant.
            let tenant = if wrong_id == Wrong::Malformed {
                &there
            } else {
                &here
            };
            asks.push((face.cancel(tenant, bad_id).key(&with), wrong_id));
            asks.push((face.cancel(&here, face.nobody).key(&with), Wrong::NotFound));
        }
        let asks = asks.into_iter().map(|(ask, wrong)| {
            let mut ask = ask;
            ask.headers.retain(|(name, _)| name != "Content-Type");
            (bad_body(ask), wrong)
        });
        let job = face.cancel(&here, &(face.job)(&done)).key(&with);
        let mut plain = job.clone();
        plain.headers.retain(|(name, _)| name != "Content-Type");
        let last = [
            (bad_body(plain.clone()), Wrong::MediaType),
            (plain.body("{"), Wrong::Malformed),
        ];
        for (ask, wrong) in asks.chain(last) {
            let reply = ask.send(world.address());
            assert!(
                reply.status < 500,
                "{} {wrong:?}: {}",
                face.name,
                reply.text()
            );
            face.is_fault(&reply, wrong, &ask);
        }
        face.refused(&job.send(world.address()), &done);
    }
    assert_eq!(world.contents(), before);
}
