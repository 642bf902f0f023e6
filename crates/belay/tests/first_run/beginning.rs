//! The first start and the second.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use belay_testkit::TestDb;

use crate::support::Site;

#[test]
fn an_empty_directory_is_enough_and_nothing_is_lost() {
    let site = Site::new();
    let daemon = site.start();
    let mode = |name: &str| {
        let data = fs::metadata(site.data().join(name)).unwrap();
        data.permissions().mode() & 0o777
    };
    assert_eq!(mode("admin.key"), 0o600);
    assert_eq!(mode("database"), 0o600);
    assert_eq!(mode("") & 0o066, 0, "others may look into the directory");
    let key = daemon.key();
    assert_eq!(daemon.get("/healthz")["status"], "ok");
    assert_eq!(daemon.get("/readyz")["status"], "ok");

    let done = site.json(&["enqueue", "noop"], 0)["id"].as_i64().unwrap();
    site.await_state(done, "completed");
    let sleeping = site.json(&["enqueue", "sleep", "--payload", r#"{"seconds":600}"#], 0);
    let sleeping = sleeping["id"].as_i64().unwrap();
    site.await_state(sleeping, "running");
    site.run(
        &[
            "cancel",
            "--wait",
            "--reason",
            "test",
            &sleeping.to_string(),
        ],
        5,
    );
    let later = site.json(&["enqueue", "noop", "--delay", "1h"], 0)["id"]
        .as_i64()
        .unwrap();
    let doctor = site.run(&["doctor"], 0);
    assert!(doctor.contains("all is well"), "{doctor}");

    let url = daemon.url.clone();
    let (banner, log) = daemon.stop();
    for part in [
        url.as_str(),
        "admin.key  (made just now)",
        "psql",
        "curl -H",
    ] {
        assert!(banner.contains(part), "{part}: {banner}");
    }
    assert!(
        !banner.contains(&key) && !log.contains(&key),
        "the key leaked"
    );
    for name in ["address", "database"] {
        assert!(!site.data().join(name).exists(), "{name} was left behind");
    }
    site.run(&["jobs"], 4);

    let daemon = site.start();
    assert_eq!(daemon.key(), key);
    for (id, state) in [
        (done, "completed"),
        (sleeping, "cancelled"),
        (later, "scheduled"),
    ] {
        assert_eq!(site.json(&["job", &id.to_string()], 0)["state"], state);
        assert_eq!(daemon.get(&format!("/belay/v1/jobs/{id}"))["state"], state);
    }
    let (banner, _) = daemon.stop();
    assert!(!banner.contains("made just now"), "{banner}");
}

#[test]
fn a_command_of_the_configuration_runs_and_stops_whole() {
    let site = Site::new().configured(
        r#"
        [kinds.greet]
        executor = "command"
        argv = ["/bin/sh", "-c", "echo hello; cat; echo oops >&2; exit 3"]
        max_attempts = 1
        [kinds.stay]
        executor = "command"
        argv = ["/bin/sh", "-c", "echo started; sleep 600 & wait"]
        grace = "1s"
        "#,
    );
    let daemon = site.start();
    let id = site.json(&["enqueue", "greet", "--payload", r#"{"a":1}"#], 0)["id"].to_string();
    let output = site.command(&["job", "watch", &id]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let written = site.json(&["job", "output", &id], 0);
    assert_eq!(written["attempts"][0]["stdout"], "hello\n{\"a\": 1}");
    assert_eq!(written["attempts"][0]["stderr"], "oops\n");
    assert_eq!(written["attempts"][0]["exit_code"], 3);

    let id = site.json(&["enqueue", "stay"], 0)["id"].as_i64().unwrap();
    site.await_state(id, "running");
    site.run(&["cancel", "--wait", &id.to_string()], 5);
    let job = site.json(&["job", &id.to_string()], 0);
    assert_eq!(job["cancel"]["rung"], "term");
    daemon.stop();
}

#[test]
fn a_database_elsewhere_is_migrated_and_gets_a_key() {
    let test = TestDb::unmigrated();
    let site = Site::on(test.url());
    let daemon = site.start();
    assert!(!site.data().join("pg").exists());
    assert!(!site.data().join("database").exists());
    assert_eq!(daemon.get("/belay/v1/jobs")["jobs"], serde_json::json!([]));
    daemon.stop();

    // Another node on the same database finds that there is a key.
    let other = Site::on(test.url());
    let daemon = other.start();
    assert!(!other.data().join("admin.key").exists());
    daemon.stop();
}

#[test]
fn a_machine_without_a_place_for_files_can_use_a_database_elsewhere() {
    let test = TestDb::new();
    let site = Site::on(test.url());
    // A file where the directory should be.
    fs::write(site.data(), "").unwrap();
    let mut daemon = site.launch();
    let listening = belay_testkit::eventually(crate::support::LONG, || {
        let workers = site.command(&["doctor", "--json"]).output().unwrap();
        let text = String::from_utf8(workers.stdout).unwrap();
        text.contains("1 alive").then_some(text)
    });
    assert!(listening.contains("no valid API key"), "{listening}");
    daemon.signal(rustix::process::Signal::TERM);
    let (status, _, log) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("the first key was not made"), "{log}");
}

#[test]
fn a_node_can_serve_without_running_jobs() {
    let test = TestDb::new();
    let runs = Site::on(test.url()).configured("[worker]\nqueues = [\"nothing\"]\n");
    let serves = Site::on(test.url()).configured("[worker]\nenabled = false\n");
    let one = runs.start();
    let two = serves.start();
    let id = serves.json(&["enqueue", "noop"], 0)["id"].to_string();
    let workers = runs.run(&["doctor"], 0);
    assert!(workers.contains("1 alive"), "{workers}");
    assert_eq!(serves.json(&["job", &id], 0)["state"], "queued");
    two.stop();
    one.stop();
}
