//! `sql`: statements in Belay's own database, as a role of their own.

use belay_testkit::eventually;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::process::{Process, daemon};
use crate::subject::{Deaf, GRACE, Node, Shown, Subject, Work};
use crate::world::{LONG, World};

pub(crate) struct Sql {
    admin: String,
    role: String,
    url: String,
}

/// What the statements call.
const FUNCTIONS: &str = "
create function public.fails() returns text language plpgsql as $$
begin
  -- As if another transaction had been in the way: that may pass.
  raise exception 'no luck' using errcode = 'serialization_failure';
end $$;
create function public.waits() returns void language plpgsql as $$
begin
  perform pg_sleep(3600);
end $$;
create function public.deaf() returns void language plpgsql as $$
begin
  loop
    begin
      perform pg_sleep(3600);
    exception when query_canceled then null;
    end;
  end loop;
end $$;";

fn statement(work: Work) -> &'static str {
    match work {
        Work::Succeeds => "select 1",
        Work::Fails => "select public.fails()",
        Work::Waits => "select public.waits()",
        Work::Deaf => "select public.deaf()",
        Work::Floods => "select repeat('x', 1000000) || 'the end'",
        // A text of the server has no such bytes.
        Work::Garbles => "select decode('61ff0062', 'hex')",
    }
}

impl Subject for Sql {
    const SUSPENDS: bool = false;
    const STOPPED: &'static str = "term";
    const DEAF: Deaf = Deaf::Ended("kill");
    /// Only how many rows there were.
    const SHOWN: Shown = Shown::Nothing;

    fn new(world: &World) -> Self {
        let role = format!("contract_{}", world.test.name());
        world
            .test
            .conn()
            .batch_execute(&format!(
                "{FUNCTIONS}; create role {role} login password 'contract' in role belay_sql"
            ))
            .unwrap();
        let admin = world.test.url().to_owned();
        let (scheme, rest) = admin.split_once("://").unwrap();
        let (_, place) = rest.split_once('@').unwrap();
        Self {
            url: format!("{scheme}://{role}:contract@{place}"),
            admin,
            role,
        }
    }

    fn start(&self, world: &World, node: Node) -> Process {
        let kinds: String = Work::ALL
            .into_iter()
            .map(|work| {
                format!(
                    "[kinds.{}]\nexecutor = \"sql\"\ndatabase_url = \"{}\"\nstatement = \"{}\"\n\
                     grace = \"{}ms\"\nmax_attempts = 2\nbackoff = \"0s\"\n",
                    work.kind(),
                    self.url,
                    statement(work),
                    GRACE.as_millis()
                )
            })
            .collect();
        daemon(world, node, &kinds)
    }

    fn begun(&self, world: &World, id: i64) {
        let asleep = format!(
            "select count(*) from pg_stat_activity where datname = current_database() and usename = '{}'
               and application_name like 'belay sql {id} %' and wait_event = 'PgSleep'",
            self.role
        );
        eventually(LONG, || (world.number(&asleep) > 0).then_some(()));
    }

    fn nothing_left(&self, world: &World) {
        let sessions = format!(
            "select count(*) from pg_stat_activity where datname = current_database() and usename = '{}'",
            self.role
        );
        eventually(LONG, || (world.number(&sessions) == 0).then_some(()));
    }
}

impl Drop for Sql {
    fn drop(&mut self) {
        // Roles belong to the cluster, and outlive the database of the test.
        if let Ok(mut conn) = PgConnection::establish(&self.admin) {
            let _ = conn.batch_execute(&format!("drop role {}", self.role));
        }
    }
}
