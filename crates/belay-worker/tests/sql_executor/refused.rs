//! Roles that could do more than a statement may.

use belay_core::JobState;
use belay_testkit::TEST_URL_VARIABLE;

use crate::support::{Bench, EFFECT, LoginRole, as_role, end};

#[test]
fn a_superuser_is_refused() {
    let bench = Bench::new();
    let mut settings = bench.settings("select 1");
    settings.database_url = bench.test.url().to_owned();
    let error = bench.try_start(Bench::config(settings)).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("the kind \"statement\": the role"),
        "{error}"
    );
    assert!(error.contains("is a superuser"), "{error}");
    assert!(std::env::var(TEST_URL_VARIABLE).is_ok());
}

#[test]
fn roles_that_are_or_can_become_too_mighty_are_refused_at_the_start_and_by_every_attempt() {
    let bench = Bench::new();
    let role = bench.role.0.clone();
    let boss = LoginRole(format!("{role}_boss"));
    bench.sql(&format!("create role {} superuser", boss.0));
    let boss = &boss.0;
    let worker = bench.worker(EFFECT);
    for (grant, revoke, words) in [
        (
            format!("alter role {role} superuser"),
            format!("alter role {role} nosuperuser"),
            "is a superuser",
        ),
        (
            format!("alter role {role} createrole"),
            format!("alter role {role} nocreaterole"),
            "allowed to make roles",
        ),
        (
            format!("alter role {role} replication"),
            format!("alter role {role} noreplication"),
            "allowed to replicate",
        ),
        (
            format!("grant {boss} to {role}"),
            format!("revoke {boss} from {role}"),
            "is a member of",
        ),
        (
            format!("alter role {role} noinherit; grant {boss} to {role}"),
            format!("revoke {boss} from {role}; alter role {role} inherit"),
            "is a member of",
        ),
        (
            format!("grant pg_execute_server_program to {role}"),
            format!("revoke pg_execute_server_program from {role}"),
            "files or programs",
        ),
        (
            format!("grant pg_write_server_files to {role}"),
            format!("revoke pg_write_server_files from {role}"),
            "files or programs",
        ),
        (
            format!("grant pg_read_all_data to {role}"),
            format!("revoke pg_read_all_data from {role}"),
            "allowed to touch the table belay.",
        ),
        (
            format!("grant select on belay.sql_secret to {role}"),
            format!("revoke select on belay.sql_secret from {role}"),
            "belay.sql_secret",
        ),
        (
            format!("grant update (state) on belay.job to {role}"),
            format!("revoke update (state) on belay.job from {role}"),
            "belay.job",
        ),
        (
            format!("grant usage on sequence belay.ticket to {role}"),
            format!("revoke usage on sequence belay.ticket from {role}"),
            "belay.ticket",
        ),
        (
            format!("grant create on schema belay to {role}"),
            format!("revoke create on schema belay from {role}"),
            "create things in the schema belay",
        ),
        (
            format!("revoke belay_sql from {role}"),
            format!("grant belay_sql to {role}"),
            "grant belay_sql to",
        ),
    ] {
        bench.sql(&grant);
        let start = bench.try_start(Bench::config(bench.settings(EFFECT)));
        let error = start
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(error.contains(words), "{grant}: {error}");
        let why = bench.failure(r#"{"value": "x"}"#);
        assert!(why.contains(words), "{grant}: {why}");
        assert!(!why.contains("hunter2"), "{why}");
        bench.sql(&revoke);
    }
    assert_eq!(bench.effects(), 0);
    let id = bench.enqueue(r#"{"value": "x"}"#);
    bench.until(id, JobState::Completed);
    end(&worker);
}

#[test]
fn a_role_that_its_login_turns_into_another_one_is_looked_at_as_well() {
    let bench = Bench::new();
    let role = bench.role.0.clone();
    let boss = LoginRole(format!("{role}_boss"));
    bench.sql(&format!(
        "create role {boss} superuser; grant {boss} to {role}; alter role {role} set role = '{boss}'",
        boss = boss.0
    ));
    let mut settings = bench.settings("select 1");
    settings.database_url = as_role(bench.test.url(), &role);
    let error = bench.try_start(Bench::config(settings)).unwrap_err();
    assert!(error.to_string().contains("is a member of"), "{error}");
}
