//! The rows of that table whose work runs elsewhere: in the database, and in programs that ask for it.

use std::sync::Arc;
use std::time::Duration;

use belay_core::ops::remote::{Registration, Report, Said};
use belay_core::ops::{self, Claimed, KindSpec, LineFloor, NewJob, NewWorker, Outcome, Settled};
use belay_core::query::remote::signals;
use belay_core::{JobState, query};
use belay_testkit::eventually;
use belay_worker::KindConfig;
use belay_worker::executors::sql::{SqlExecutor, SqlSettings};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::bench::{Bench, PATIENCE, end};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

fn count(bench: &Bench, sql: &str) -> i64 {
    diesel::sql_query(sql)
        .get_result::<Count>(&mut bench.test.conn())
        .unwrap()
        .n
}

/// A login role, dropped with the value.
struct LoginRole(String);

impl Drop for LoginRole {
    fn drop(&mut self) {
        if let Ok(url) = std::env::var(belay_testkit::TEST_URL_VARIABLE)
            && let Ok(mut admin) = PgConnection::establish(&url)
        {
            let _ = admin.batch_execute(&format!("drop role if exists {}", self.0));
        }
    }
}

#[test]
fn sql() {
    let bench = Bench::new();
    let role = LoginRole(format!("{}_role", bench.test.name()));
    let name = &role.0;
    let setup = format!(
        "create role {name} login; grant belay_sql to {name}; create table public.effect (value text);
         create table public.gate (); grant select, insert on public.effect to {name}; grant select on public.gate to {name}"
    );
    bench.test.conn().batch_execute(&setup).unwrap();
    let (scheme, rest) = bench.test.url().split_once("://").unwrap();
    let (_, place) = rest.split_once('@').unwrap();
    let url = format!("{scheme}://{name}:x@{place}");
    // The effect first; then it waits at a gate, which a test can close.
    let statement = "with e as (insert into public.effect values ($1) returning 1) select (select count(*) from public.gate) + count(*) from e";
    let mut settings = SqlSettings::new(url, statement);
    settings.params = vec!["value".into()];
    settings.grace = Duration::from_secs(1);
    let executor = Arc::new(SqlExecutor::new(settings).unwrap());
    let worker = bench.worker(vec![KindConfig::new("statement", "sql", executor)], true);
    let job = |value: &str| NewJob {
        payload: format!("{{\"value\": \"{value}\"}}"),
        ..NewJob::new("statement")
    };
    let done = bench.enqueue(&job("kept"));
    bench.until(done, JobState::Completed);
    let effects = "select count(*) as n from public.effect where value = 'kept'";
    assert_eq!(count(&bench, effects), 1);
    // The gate is closed: the statement stands in the middle of its transaction when the cancel comes.
    let mut gate = bench.test.conn();
    gate.batch_execute("begin; lock table public.gate in access exclusive mode")
        .unwrap();
    let cancelled = bench.enqueue(&job("undone"));
    let waiting = "select count(*) as n from pg_locks where not granted and relation = 'public.gate'::regclass";
    eventually(PATIENCE, || (count(&bench, waiting) > 0).then_some(()));
    assert_eq!(bench.cancel(cancelled).outcome, Outcome::Cancelling);
    bench.until(cancelled, JobState::Cancelled);
    gate.batch_execute("rollback").unwrap();
    let effects = "select count(*) as n from public.effect where value = 'undone'";
    assert_eq!(count(&bench, effects), 0, "undone with the cancel");
    end(&worker);
}

/// A remote worker of that name.
fn remote(bench: &Bench, name: &str) -> i64 {
    let new = Registration {
        worker: NewWorker {
            name: name.into(),
            host: "elsewhere".into(),
            pid: 1,
            version: "1".into(),
            queues: None,
            kinds: Vec::new(),
            slots: 1,
            lease: Duration::from_secs(60),
        },
        kinds: vec![KindSpec {
            grace: Some(Duration::ZERO),
            ..KindSpec::new("mail", ops::remote::EXECUTOR)
        }],
        key: "key".into(),
        tenants: None,
    };
    bench
        .db
        .tx(|conn| ops::remote::register(conn, &new))
        .unwrap()
}

fn claim(bench: &Bench, worker: i64) -> Claimed {
    let claimed = bench.db.tx(|conn| {
        let lines: Vec<LineFloor> = query::remote::lines(conn)?
            .into_iter()
            .map(|line| LineFloor { line, floor: 0 })
            .collect();
        ops::remote::claim(conn, worker, 0, None, &lines, 1)
    });
    claimed.unwrap().pop().unwrap()
}

fn completed(bench: &Bench, worker: i64, job: &Claimed) -> Settled {
    let report = Report {
        id: job.id,
        fence: job.fence,
        said: Said::Completed,
        output: None,
    };
    let settled = bench
        .db
        .tx(|conn| ops::remote::finish(conn, worker, std::slice::from_ref(&report)));
    settled.unwrap().pop().unwrap()
}

#[test]
fn remote_worker() {
    let bench = Bench::new();
    let first = remote(&bench, "first");
    let id = bench.enqueue(&NewJob::new("mail"));
    let stale = claim(&bench, first);
    // Lost, and run elsewhere: the first one's report is refused.
    bench.lose(first);
    let second = remote(&bench, "second");
    let held = claim(&bench, second);
    assert_eq!(held.id, id);
    assert_eq!(completed(&bench, first, &stale), Settled::Stale);
    // Told with the next beat, and honest until it has answered.
    bench.cancel(id);
    let told = bench.db.read(|conn| signals(conn, second)).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].id, told[0].fence), (id, held.fence));
    assert_eq!(bench.job(id).state, JobState::Cancelling);
    assert_eq!(
        completed(&bench, second, &held),
        Settled::Now(JobState::Cancelled)
    );
    let last = bench.timeline(id).pop().unwrap();
    assert_eq!(last.detail.unwrap()["finished_anyway"], "completed");
}
