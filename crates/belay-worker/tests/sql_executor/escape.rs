//! What a statement might try to get out of its transaction and its rights: refused by the server, or harmless.

use belay_core::JobState;
use belay_worker::executors::sql::{SqlExecutor, SqlSettings};

use crate::support::{Bench, EFFECT, end};

/// Runs anything as the role of the statement.
const ANYTHING: &str = "
    create function own.anything(text) returns void language plpgsql as $$ begin execute $1; end $$;
    create procedure own.commits() language plpgsql as $$
    begin insert into public.effect values ('', 'committed'); commit; end $$;
    create procedure own.commits_inside() language plpgsql as $$ begin call own.commits(); end $$";

#[test]
fn statements_that_are_no_single_change_of_data_are_not_accepted_at_all() {
    for statement in [
        "drop table public.precious",
        "set role postgres",
        "reset session authorization",
        "copy public.precious to program 'id'",
        "select 1; drop table public.precious",
        "commit",
        "/* select */ rollback",
        "do $$ begin end $$",
        "prepare x as select 1",
        "alter role me superuser",
        "explain analyze delete from public.precious",
    ] {
        let refused = SqlExecutor::new(SqlSettings::new("dbname=x", statement)).unwrap_err();
        assert_eq!(refused.member, "statement", "{statement}");
    }
}

#[test]
fn what_is_hidden_in_a_function_is_refused_by_the_server() {
    let bench = Bench::new();
    bench.sql("create table public.precious (id integer); create role belay_sql_boss_of_nobody; drop role belay_sql_boss_of_nobody");
    bench.as_role(ANYTHING);
    let role = bench.role.0.clone();
    let mut settings = bench.settings("select own.anything($1)");
    settings.params = vec!["do".into()];
    let worker = bench.start(Bench::config(settings));
    for (hidden, codes) in [
        ("drop table public.precious".to_owned(), "42501"),
        ("drop schema belay cascade".into(), "42501"),
        ("select * from public.precious".into(), "42501"),
        ("select * from belay.job".into(), "42501"),
        ("select * from belay.sql_secret".into(), "42501"),
        ("delete from belay.job".into(), "42501"),
        ("select belay.sql_token(1, 1, 1)".into(), "42501"),
        ("select belay.op_cancel(null, null, null, null, null, null)".into(), "42501 42883"),
        ("select belay.cancel(1)".into(), "42501"),
        ("create function belay.sql_settle(text) returns text language sql as 'select 1'".into(), "42501"),
        ("create or replace function belay.sql_settle(bigint, integer, bigint, bytea) returns text language sql as 'select null'".into(), "42501"),
        ("copy public.effect to program 'id'".into(), "42501"),
        ("copy public.effect from '/etc/passwd'".into(), "42501"),
        ("select pg_read_file('/etc/passwd')".into(), "42501"),
        ("select lo_import('/etc/passwd')".into(), "42501"),
        (format!("alter role {role} superuser"), "42501"),
        (format!("grant belay_client to {role}"), "42501"),
        ("set role belay_client".into(), "42501"),
        ("select set_config('role', 'belay_client', true)".into(), "42501"),
        ("set session authorization belay".into(), "42501 22023"),
        ("select set_config('session_authorization', 'belay', false)".into(), "42501 22023"),
        ("alter system set fsync = off".into(), "42501 25001"),
        ("load 'dblink'".into(), "42501"),
        ("create extension dblink".into(), "42501 0A000 58P01"),
        ("create language plpython3u".into(), "42501 0A000 58P01 42704"),
        ("commit".into(), "0A000 2D000"),
        ("rollback".into(), "0A000 2D000"),
        ("commit; begin".into(), "0A000 2D000"),
        ("rollback to savepoint belay_effect".into(), "0A000 2D000 3B001"),
        ("release savepoint belay_effect".into(), "0A000 2D000 3B001"),
        ("prepare transaction 'x'".into(), "0A000 2D000"),
        ("call own.commits()".into(), "2D000"),
        ("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'belay'".into(), "42501"),
        ("insert into public.effect select '', 'x' from generate_series(1, 3); select 1/0".into(), "22012"),
    ] {
        let payload = format!("{{\"do\": {}}}", serde_json::to_string(&hidden).unwrap());
        let why = bench.failure(&payload);
        let code = why.strip_prefix("SQLSTATE ").and_then(|rest| rest.get(..5));
        assert!(
            code.is_some_and(|code| codes.contains(code)),
            "{hidden}: {why}"
        );
    }
    end(&worker);
    assert_eq!(bench.effects(), 0);
    assert_eq!(bench.number("select count(*) as n from public.precious"), 0);
}

#[test]
fn a_procedure_cannot_commit() {
    let bench = Bench::new();
    bench.as_role(ANYTHING);
    for statement in ["call own.commits()", "call own.commits_inside()"] {
        let worker = bench.worker(statement);
        let why = bench.failure("{}");
        assert!(why.starts_with("SQLSTATE 2D000: "), "{why}");
        end(&worker);
    }
    assert_eq!(bench.effects(), 0);
}

/// It may call the function by which the daemon ends jobs, but without the token that comes only when it is over.
#[test]
fn a_statement_cannot_end_a_job() {
    let bench = Bench::new();
    let worker = bench.worker(
        "select belay.sql_settle(j, 1, w, decode(md5($1) || md5($1), 'hex')) from generate_series(1, 20) j, generate_series(1, 3) w",
    );
    let why = bench.failure(r#"{"value": "x"}"#);
    assert!(
        why.starts_with("SQLSTATE 42501: this is not the token of that attempt"),
        "{why}"
    );
    end(&worker);
    let worker = bench.worker("select belay.sql_settle(1, 1, 1, null), $1");
    let why = bench.failure(r#"{"value": "x"}"#);
    assert!(why.starts_with("SQLSTATE 42501: "), "{why}");
    end(&worker);
}

/// What runs after the token was sent, which is only what insists on the very end, finds it nowhere.
#[test]
fn the_token_is_seen_by_nobody() {
    let bench = Bench::new();
    bench.sql(&format!(
        "alter table public.effect owner to {}",
        bench.role.0
    ));
    bench.as_role(
        "create function own.spy() returns trigger language plpgsql as $$
         begin
           if new.value = 'x' then
             -- Once more, at the commit.
             set constraints all deferred;
             insert into public.effect values ('', 'again');
           else
             insert into own.seen select current_query() union all select query from pg_stat_activity where pid = pg_backend_pid()
               union all select statement from pg_prepared_statements union all select statement from pg_cursors;
           end if;
           return null;
         end $$;
         create table own.seen (what text);
         create constraint trigger spy after insert on public.effect deferrable initially deferred
           for each row execute function own.spy()",
    );
    let worker = bench.worker(EFFECT);
    let id = bench.enqueue(r#"{"value": "x"}"#);
    bench.until(id, JobState::Completed);
    end(&worker);
    assert_eq!(bench.effects(), 2);
    assert!(bench.number("select count(*) as n from own.seen where what ilike '%commit%'") > 0);
    let seen = bench.number(&format!(
        "select count(*) as n from own.seen s, belay.job_done d where d.id = {id}
           and s.what like '%' || encode(belay.sql_token(d.id, d.fence, d.worker), 'hex') || '%'"
    ));
    assert_eq!(seen, 0);
}

/// Names of its own do not come before those that are meant.
#[test]
fn nothing_of_its_own_is_used_in_place_of_what_is_meant() {
    let bench = Bench::new();
    bench.as_role(&format!(
        "create function own.shadows() returns void language plpgsql as $$
         begin
           create temp table job (id bigint, state text, fence integer, worker bigint);
           create temp table job_done (id bigint);
           create temp table sql_secret (secret bytea);
           create function pg_temp.sha256(bytea) returns bytea language sql as 'select null::bytea';
           perform set_config('search_path', 'pg_temp, own, pg_catalog', false);
         end $$;
         create function own.sha256(bytea) returns bytea language plpgsql as $$ begin raise 'hijacked'; end $$;
         create function own.int8send(bigint) returns bytea language plpgsql as $$ begin raise 'hijacked'; end $$;
         create function own.same(bigint, bigint) returns boolean language plpgsql as $$ begin raise 'hijacked'; end $$;
         create operator own.= (leftarg = bigint, rightarg = bigint, function = own.same);
         create function own.pg_try_advisory_xact_lock(bigint) returns boolean language sql as 'select true';
         create function own.pg_backend_pid() returns integer language plpgsql as $$ begin raise 'hijacked'; end $$;
         create view own.pg_stat_activity as select 1 as pid;
         alter role {} set search_path = own, pg_catalog, public",
        bench.role.0
    ));
    let worker = bench.worker(
        "with s as (select own.shadows()) insert into public.effect select pg_current_xact_id()::text, $1 from s",
    );
    let id = bench.enqueue(r#"{"value": "x"}"#);
    bench.until(id, JobState::Completed);
    end(&worker);
    assert_eq!((bench.effects(), bench.effects_of(id)), (1, 1));
}
