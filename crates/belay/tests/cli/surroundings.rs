//! What every command does about its surroundings: help, configuration, databases that are not there or not ready.

use belay_testkit::TestDb;

use crate::support::{Cli, Run, program};

fn run(args: &[&str], env: &[(&str, &str)]) -> Run {
    program(args)
        .envs(env.iter().copied())
        .output()
        .unwrap()
        .into()
}

const AWAY: &str = "postgres://nobody@127.0.0.1:1/none";

#[test]
fn the_help_lists_commands_and_exit_codes() {
    let help = run(&["--help"], &[]).exits(0);
    for word in [
        "serve",
        "migrate",
        "cancel",
        "doctor",
        "Exit codes:",
        "BELAY_DATA_DIR",
    ] {
        assert!(help.stdout.contains(word), "{help:#?}");
    }
    assert!(!help.stdout.contains("guard"), "{help:#?}");
    run(&[], &[]).exits(2);
    run(&["frobnicate"], &[]).exits(2);
    let version = run(&["--version"], &[]).exits(0);
    assert_eq!(
        version.stdout,
        format!("belay {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_guard_by_hand_says_that_it_is_of_no_use() {
    let guard = run(&["guard"], &[]).exits(1);
    assert!(guard.stderr.contains("of no use by hand"), "{guard:#?}");
    run(&["--json", "guard"], &[("BELAY_DATA_DIR", "/nonexistent")]).exits(2);
}

#[test]
fn a_database_that_is_away_is_exit_code_4() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("belay.toml");
    // The wait for a connection is time that this test has no use for.
    std::fs::write(&file, "[database]\npool_wait = \"100ms\"\n").unwrap();
    let env = [
        ("DATABASE_URL", AWAY),
        ("BELAY_DATA_DIR", dir.path().to_str().unwrap()),
        ("BELAY_CONFIG", file.to_str().unwrap()),
    ];
    for args in [
        vec!["jobs"],
        vec!["job", "1"],
        vec!["cancel", "1"],
        vec!["enqueue", "noop"],
        vec!["key", "list"],
        vec!["tenant", "list"],
        vec!["migrate"],
        vec!["doctor"],
    ] {
        run(&args, &env).exits(4);
    }
}

#[test]
fn without_a_daemon_the_private_database_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let env = [("BELAY_DATA_DIR", data)];
    let never = run(&["jobs"], &env).exits(4);
    assert!(
        never.stderr.starts_with(&format!(
            "belay: no daemon runs on {data}; start one with `belay serve`"
        )),
        "{never:#?}"
    );
    std::fs::write(
        dir.path().join("database"),
        "postgres://belay@/belay?host=/nonexistent&port=5432\n",
    )
    .unwrap();
    let stopped = run(&["jobs"], &env).exits(4);
    assert!(stopped.stderr.contains("does not answer"), "{stopped:#?}");
}

#[test]
fn a_wrong_configuration_is_exit_code_2() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[worker]\nslot = 4\n").unwrap();
    let path = file.path().to_str().unwrap();
    for (args, env) in [
        (vec!["jobs", "--config", path], vec![]),
        (vec!["jobs"], vec![("BELAY_CONFIG", path)]),
    ] {
        let refused = run(&args, &env).exits(2);
        assert!(
            refused.stderr.starts_with(&format!(
                "belay: {path}, line 2: worker.slot: unknown field"
            )),
            "{refused:#?}"
        );
    }
}

#[test]
fn a_flag_is_stronger_than_the_environment() {
    let cli = Cli::new();
    let url = cli.test.url();
    let data = cli.data_dir().to_str().unwrap();
    let env = [("DATABASE_URL", AWAY), ("BELAY_DATA_DIR", data)];
    run(&["jobs", "--database-url", url], &env).exits(0);
    run(&["--database-url", url, "jobs"], &env).exits(0);
}

#[test]
fn an_old_schema_is_named_and_migrate_mends_it() {
    let test = TestDb::unmigrated();
    let dir = tempfile::tempdir().unwrap();
    let env = [
        ("DATABASE_URL", test.url()),
        ("BELAY_DATA_DIR", dir.path().to_str().unwrap()),
    ];
    let before = run(&["jobs"], &env).exits(1);
    assert!(before.stderr.contains("run `belay migrate`"), "{before:#?}");
    run(&["migrate", "--check"], &env).exits(1);
    let doctor = run(&["doctor"], &env).exits(1);
    assert!(doctor.stdout.contains("FAILURE  schema"), "{doctor:#?}");

    let first = run(&["migrate", "--json"], &env).exits(0).json();
    assert!(first["applied"].as_array().unwrap().len() >= 4);
    let second = run(&["migrate"], &env).exits(0);
    assert_eq!(second.stdout, "the schema was up to date\n");
    run(&["migrate", "--check"], &env).exits(0);
    run(&["jobs"], &env).exits(0);
}

#[test]
fn the_doctor_of_a_healthy_database() {
    let cli = Cli::new();
    cli.worker();
    cli.run(&["key", "create", "--scope", "admin", "--all-tenants"])
        .exits(0);
    let doctor = cli.run(&["doctor", "--json"]).exits(0);
    let checks = doctor.json();
    let checks: Vec<(&str, &str)> = checks["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["check"].as_str().unwrap(), c["level"].as_str().unwrap()))
        .collect();
    for check in [
        "configuration",
        "database",
        "clock",
        "schema",
        "partitions",
        "workers",
        "cancels",
        "transactions",
        "claims",
    ] {
        assert!(checks.contains(&(check, "ok")), "{check}: {doctor:#?}");
    }
}

#[test]
fn the_doctor_finds_work_without_workers() {
    let cli = Cli::new();
    cli.enqueue(&["work"]);
    let doctor = cli.run(&["doctor"]).exits(1);
    assert!(
        doctor.stdout.contains("1 jobs wait and no worker lives"),
        "{doctor:#?}"
    );
}
