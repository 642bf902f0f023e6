//! Too much at once, a database that is away, defects, and interfaces that are switched off.

use std::num::NonZeroU32;
use std::time::Duration;

use belay_api::{AdminApi, RateLimit};
use belay_core::db::DbConfig;
use belay_core::model::Job;
use belay_core::ops::{self, Actor, NewJob, NewKey, Via};
use belay_core::{Db, JobState, query};
use belay_testkit::{TestCluster, eventually};
use diesel::connection::SimpleConnection;

use super::faces::{FACES, Face};
use super::shapes::Wrong;
use crate::support::{Server, World};

#[test]
fn too_many_requests_of_one_key_are_refused_and_do_nothing() {
    let limit = RateLimit {
        per_second: NonZeroU32::MIN,
        burst: NonZeroU32::MIN,
    };
    let world = World::with(|builder| builder.rate_limit(limit));
    for face in &FACES {
        let id = world.make(JobState::Queued).id;
        let key = world.key(face.name, &[face.read_scope, face.write_scope], Some(&[1]));
        let job = (face.job)(&world.seen(id));
        let here = (face.tenant)(&world, 1);
        let read = face.read(&here, &job).key(&key);
        // On a slow machine it takes some more until two fall into one second.
        let reply = (0..200)
            .map(|_| read.send(world.address()))
            .find(|reply| reply.header("retry-after").is_some())
            .unwrap();
        face.is_fault(&reply, Wrong::Limited, &read);
        // The cancel counts too.
        let before = world.contents();
        let cancel = face.cancel(&here, &job).key(&key);
        let reply = cancel.send(world.address());
        if reply.header("retry-after").is_some() {
            face.is_fault(&reply, Wrong::Limited, &cancel);
            assert_eq!(world.contents(), before, "{}", face.name);
        }
        // Another key is not limited by it.
        let other = format!("other-{}", face.name);
        let other = world.key(&other, &[face.read_scope], Some(&[1]));
        let reply = face.read(&here, &job).key(&other).send(world.address());
        assert_eq!(reply.header("retry-after"), None);
    }
}

/// The tenant `default` and a job of it, on a database of the test's own.
struct Far {
    server: Server,
    key: String,
    group: String,
    job: Job,
}

impl Far {
    fn new(url: String) -> Self {
        let mut config = DbConfig::new(url);
        config.pool_wait = Duration::from_millis(500);
        let db = Db::new(config).unwrap();
        let actor = Actor::new("test", Via::Cli);
        let key = NewKey {
            name: "root".into(),
            scopes: vec!["admin".into()],
            tenants: None,
            expires_at: None,
        };
        let key = db.tx(|c| ops::create_key(c, &key, &actor)).unwrap().1;
        let made = db.tx(|c| ops::enqueue(c, 1, &NewJob::new("noop"), None, false, &actor));
        let one = belay_core::id::JobRef::number(1);
        let job = belay_core::id::JobRef::number(made.unwrap().id);
        let group = db.read(|c| query::tenant_by_id(c, &one)).unwrap().key();
        let job = db.read(|c| query::get(c, None, &job)).unwrap();
        let api = AdminApi::builder(db).build().unwrap();
        Self {
            server: Server::start(move |config| api.configure(config)),
            key,
            group,
            job,
        }
    }

    /// The tenant, as the interface calls it.
    fn tenant(&self, face: &Face) -> &str {
        match face.name {
            "prospecting" => &self.group,
            _ => "1",
        }
    }
}

#[test]
fn a_database_that_is_away_is_told_in_each_shape_until_it_is_back() {
    let cluster = TestCluster::start();
    let far = Far::new(cluster.migrated("belay"));
    let asks: Vec<_> = FACES
        .iter()
        .flat_map(|face| {
            let (tenant, job) = (far.tenant(face), (face.job)(&far.job));
            [face.read(tenant, &job), face.cancel(tenant, &job)].map(|ask| (face, ask))
        })
        .map(|(face, ask)| (face, ask.key(&far.key)))
        .collect();
    for (face, ask) in asks.iter().filter(|(_, ask)| ask.method == "GET") {
        assert_eq!(ask.send(far.server.address).status, 200, "{}", face.name);
    }
    cluster.kill9().unwrap();
    // Sessions outlive the postmaster by a moment.
    let first = &asks[0].1;
    eventually(Duration::from_secs(60), || {
        (first.send(far.server.address).status != 200).then_some(())
    });
    for (face, ask) in &asks {
        let reply = ask.send(far.server.address);
        face.is_fault(&reply, Wrong::Away, ask);
    }
    cluster.restart().unwrap();
    eventually(Duration::from_secs(60), || {
        (first.send(far.server.address).status == 200).then_some(())
    });
    for (face, ask) in asks.iter().filter(|(_, ask)| ask.method == "GET") {
        let reply = ask.send(far.server.address);
        assert_eq!(reply.status, 200, "{}: {}", face.name, reply.text());
    }
    // Nothing of what was asked meanwhile has happened.
    let vault = asks
        .iter()
        .find(|(face, ask)| face.name == "vault" && ask.method == "POST");
    let (face, cancel) = vault.unwrap();
    face.accepted(&cancel.send(far.server.address), &far.job);
}

#[test]
fn a_job_that_somebody_holds_too_long_is_busy_and_unchanged() {
    let world = World::new();
    let ids: Vec<i64> = FACES
        .iter()
        .map(|_| world.make(JobState::Queued).id)
        .collect();
    let asks: Vec<_> = FACES
        .iter()
        .zip(&ids)
        .map(|(face, id)| (face, face.cancel_of(&world, *id)))
        .collect();
    let before = world.contents();
    let mut holder = world.test_db.conn();
    holder
        .batch_execute("begin; select from belay.job for update")
        .unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = asks
            .iter()
            .map(|(face, ask)| (face, ask, scope.spawn(|| ask.send(world.address()))))
            .collect();
        for (face, ask, thread) in threads {
            face.is_fault(&thread.join().unwrap(), Wrong::Busy, ask);
        }
    });
    holder.batch_execute("rollback").unwrap();
    assert_eq!(world.contents(), before);
    for ((face, ask), id) in asks.iter().zip(ids) {
        let was = world.seen(id);
        face.accepted(&ask.send(world.address()), &was);
    }
}

#[test]
fn defects_are_told_in_each_shape_and_without_internals() {
    let world = World::new();
    let asks: Vec<_> = FACES
        .iter()
        .map(|face| {
            let id = world.make(JobState::Queued).id;
            (face, id, face.cancel_of(&world, id))
        })
        .collect();
    let mut conn = world.test_db.conn();
    conn.batch_execute("alter table belay.job_event rename to gone")
        .unwrap();
    for (face, id, ask) in asks {
        let reply = ask.send(world.address());
        face.is_fault(&reply, Wrong::Defect, &ask);
        assert!(!reply.text().contains("job_event"), "{}", reply.text());
        assert_eq!(world.seen(id).state, JobState::Queued, "{}", face.name);
    }
}

#[test]
fn an_interface_that_is_switched_off_is_not_there_and_the_others_are() {
    for off in &FACES {
        let world = World::with(|builder| builder.without_dialect(off.dialect));
        for face in &FACES {
            let id = world.make(JobState::Queued).id;
            let was = world.seen(id);
            let (cancel, read) = (face.cancel_of(&world, id), face.read_of(&world, id));
            if face.name == off.name {
                let before = world.contents();
                for ask in [cancel, read] {
                    assert_eq!(ask.send(world.address()).status, 404, "{}", face.name);
                }
                assert_eq!(world.contents(), before);
            } else {
                assert_eq!(read.send(world.address()).status, 200, "{}", face.name);
                face.accepted(&cancel.send(world.address()), &was);
            }
        }
    }
}
