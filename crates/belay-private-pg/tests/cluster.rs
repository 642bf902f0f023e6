//! One cluster at a time, through starts, stops, crashes and adoption. Needs the PostgreSQL server programs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use belay_private_pg::{Cluster, Error, Profile, StopMode, TemporaryCluster};

/// A folder that the server's user may pass through.
fn temp() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

fn start(folder: &Path) -> Cluster {
    Cluster::builder(folder)
        .profile(Profile::Fast)
        .start()
        .unwrap()
}

/// Runs `sql` through psql, that is through libpq with the connection string of the cluster.
fn psql(cluster: &Cluster, database: &str, sql: &str) -> String {
    let output = Command::new(cluster.bin_dir().join("psql"))
        .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .arg(cluster.url(database))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{sql}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn alive(pid: i32) -> bool {
    // A zombie without a parent that collects it is dead as well.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

#[test]
fn data_survives_a_restart_and_the_server_ends_with_the_value() {
    let dir = temp();
    let folder = dir.path().join("some/where");
    let cluster = Cluster::builder(&folder).start().unwrap();
    assert!(!cluster.was_adopted());
    assert_eq!(psql(&cluster, "postgres", "SHOW fsync"), "on");
    assert_eq!(psql(&cluster, "postgres", "SHOW server_encoding"), "UTF8");
    assert_eq!(psql(&cluster, "postgres", "SHOW listen_addresses"), "");
    cluster.ensure_database("kept").unwrap();
    cluster.ensure_database("kept").unwrap();
    psql(
        &cluster,
        "kept",
        "CREATE TABLE t (x text); INSERT INTO t VALUES ('still here')",
    );
    let pid = cluster.postmaster_pid().unwrap();
    assert!(alive(pid));
    cluster.stop(StopMode::Fast).unwrap();
    assert!(!alive(pid));

    let cluster = Cluster::builder(&folder).start().unwrap();
    assert_eq!(psql(&cluster, "kept", "SELECT x FROM t"), "still here");
    cluster.restart().unwrap();
    assert_eq!(psql(&cluster, "kept", "SELECT x FROM t"), "still here");
    let pid = cluster.postmaster_pid().unwrap();
    drop(cluster);
    assert!(!alive(pid), "dropping the value stops the server");
}

#[test]
fn nobody_else_may_enter_the_folder_of_the_socket() {
    let dir = temp();
    let cluster = start(dir.path());
    let mode = fs::metadata(cluster.socket_dir())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    let pgdata = fs::metadata(dir.path().join("pgdata")).unwrap();
    assert_eq!(pgdata.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_second_start_in_the_same_folder_is_refused() {
    let dir = temp();
    let first = start(dir.path());
    let error = Cluster::builder(dir.path()).start().unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.contains(&dir.path().display().to_string()),
        "{message}"
    );
    assert!(
        message.contains(&format!("process {}", std::process::id())),
        "{message}"
    );
    // The refusal did no harm.
    assert_eq!(psql(&first, "postgres", "SELECT 1"), "1");
}

#[test]
fn committed_rows_survive_a_kill_also_with_sessions_at_work() {
    let dir = temp();
    let cluster = start(dir.path());
    psql(
        &cluster,
        "postgres",
        "CREATE TABLE t AS SELECT 1 AS x; CHECKPOINT; INSERT INTO t VALUES (2)",
    );
    // A session that computes does not notice the death of the postmaster, and would block the next start.
    let mut busy = Command::new(cluster.bin_dir().join("psql"))
        .args(["-X", "-q", "-c"])
        .arg("SELECT sum(x) FROM generate_series(1, 1000000000000) AS s(x)")
        .arg(cluster.url("postgres"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while psql(
        &cluster,
        "postgres",
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT sum%' AND state = 'active'",
    ) != "1"
    {}
    let pid = cluster.postmaster_pid().unwrap();
    cluster.kill9().unwrap();
    assert!(!alive(pid));
    assert!(!cluster.is_running());
    cluster.restart().unwrap();
    assert_ne!(cluster.postmaster_pid(), Some(pid));
    assert!(!busy.wait().unwrap().success());
    assert_eq!(psql(&cluster, "postgres", "SELECT sum(x) FROM t"), "3");

    // The same across a new value: the stale postmaster.pid is still there.
    cluster.kill9().unwrap();
    drop(cluster);
    assert!(dir.path().join("pgdata/postmaster.pid").exists());
    let cluster = start(dir.path());
    assert!(!cluster.was_adopted());
    assert_eq!(psql(&cluster, "postgres", "SELECT sum(x) FROM t"), "3");
}

#[test]
fn a_stale_pid_file_that_names_another_program_is_no_obstacle() {
    let dir = temp();
    start(dir.path()).stop(StopMode::Fast).unwrap();
    // As after a reboot of a container: the number is taken, by a program of the same user.
    let file = dir.path().join("pgdata/postmaster.pid");
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    let text = format!(
        "{}\n{}\n1\n5432\n{}\n\n0 0\nready   \n",
        other.id(),
        dir.path().join("pgdata").display(),
        dir.path().join("run").display()
    );
    fs::write(&file, text).unwrap();
    let cluster = start(dir.path());
    assert!(!cluster.was_adopted());
    assert_eq!(psql(&cluster, "postgres", "SELECT 1"), "1");
    other.kill().unwrap();
    other.wait().unwrap();
    drop(cluster);

    // And an empty one, as after a crash while it was written.
    fs::write(&file, "").unwrap();
    assert_eq!(psql(&start(dir.path()), "postgres", "SELECT 1"), "1");
}

#[test]
fn a_server_left_behind_is_adopted_and_then_stopped_like_an_own_one() {
    let dir = temp();
    let cluster = start(dir.path());
    psql(&cluster, "postgres", "CREATE TABLE t AS SELECT 7 AS x");
    let url = cluster.url("postgres");
    let pid = cluster.detach().unwrap();
    assert!(alive(pid));

    let cluster = start(dir.path());
    assert!(cluster.was_adopted());
    assert_eq!(cluster.postmaster_pid(), Some(pid));
    assert_eq!(cluster.url("postgres"), url);
    assert_eq!(psql(&cluster, "postgres", "SELECT x FROM t"), "7");
    cluster.restart().unwrap();
    assert_ne!(cluster.postmaster_pid(), Some(pid));
    assert_eq!(psql(&cluster, "postgres", "SELECT x FROM t"), "7");
    let pid = cluster.detach().unwrap();

    let cluster = start(dir.path());
    assert!(cluster.was_adopted());
    cluster.kill9().unwrap();
    assert!(!alive(pid));
    cluster.restart().unwrap();
    assert_eq!(psql(&cluster, "postgres", "SELECT x FROM t"), "7");
}

#[test]
fn a_folder_too_deep_for_a_socket_works_and_leaves_nothing_in_the_temporary_directory() {
    let dir = temp();
    let folder = dir
        .path()
        .join("d".repeat(60))
        .join("with space")
        .join("d".repeat(60));
    let cluster = start(&folder);
    let socket_dir = cluster.socket_dir().to_path_buf();
    assert!(!socket_dir.starts_with(&folder));
    assert_eq!(psql(&cluster, "postgres", "SELECT 1"), "1");
    let pid = cluster.detach().unwrap();
    let cluster = start(&folder);
    assert_eq!(cluster.postmaster_pid(), Some(pid));
    assert_eq!(cluster.socket_dir(), socket_dir);
    drop(cluster);
    assert!(!socket_dir.exists());
}

#[test]
fn a_cancelled_start_leaves_neither_data_nor_processes() {
    let dir = temp();
    let looks = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&looks);
    let error = Cluster::builder(dir.path())
        // In the middle of initdb.
        .cancelled_when(move || counter.fetch_add(1, Ordering::Relaxed) > 20)
        .start()
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(looks.load(Ordering::Relaxed) > 20);
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["lock"]);
    // A cancel while the server itself comes up.
    start(dir.path()).stop(StopMode::Fast).unwrap();
    let looks = AtomicUsize::new(0);
    let error = Cluster::builder(dir.path())
        .cancelled_when(move || looks.fetch_add(1, Ordering::Relaxed) > 0)
        .start()
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(!dir.path().join("pgdata/postmaster.pid").exists());
    assert_eq!(psql(&start(dir.path()), "postgres", "SELECT 1"), "1");
}

#[test]
fn an_unfinished_data_directory_of_a_killed_start_is_removed() {
    let dir = temp();
    let unfinished = dir.path().join("pgdata.unfinished-1");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    let _cluster = start(dir.path());
    assert!(!unfinished.exists());
}

#[test]
fn data_of_another_version_asks_for_that_version() {
    let dir = temp();
    let pgdata = dir.path().join("pgdata");
    fs::create_dir(&pgdata).unwrap();
    fs::write(pgdata.join("PG_VERSION"), "9999\n").unwrap();
    let message = Cluster::builder(dir.path())
        .start()
        .unwrap_err()
        .to_string();
    assert!(message.contains("version 9999"), "{message}");
    assert!(message.contains("written by that version"), "{message}");
}

#[test]
fn a_bad_program_folder_is_named_with_the_reason() {
    let dir = temp();
    let nowhere = PathBuf::from("/no/such/folder");
    let message = Cluster::builder(dir.path())
        .bin_dir(Some(nowhere))
        .start()
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "/no/such/folder cannot be used as the folder of the PostgreSQL server programs: there is no such folder \
         (BELAY_PG_BIN; need initdb and postgres, version 15 or newer)"
    );
}

#[test]
fn a_setting_the_server_refuses_is_reported_with_its_log() {
    let dir = temp();
    let message = Cluster::builder(dir.path())
        .profile(Profile::Fast)
        .setting("shared_buffers", "a lot")
        .start()
        .unwrap_err()
        .to_string();
    assert!(message.contains("invalid value for parameter"), "{message}");
    assert!(message.contains("server.log"), "{message}");
    // The data is whole; without the setting it starts.
    assert_eq!(psql(&start(dir.path()), "postgres", "SELECT 1"), "1");
}

/// Not a test of its own: what the next one runs in a process that it kills.
#[test]
fn a_process_to_be_killed() {
    let Some(folder) = std::env::var_os("BELAY_TEST_DOOMED") else {
        return;
    };
    let cluster = Cluster::builder(folder)
        .profile(Profile::Fast)
        .ends_with_this_process()
        .start()
        .unwrap();
    println!("started {}", cluster.postmaster_pid().unwrap());
    std::thread::park();
}

#[test]
fn a_bound_server_ends_when_its_process_is_killed() {
    let dir = temp();
    let mut doomed = Command::new(std::env::current_exe().unwrap())
        .args(["a_process_to_be_killed", "--exact", "--nocapture"])
        .env("BELAY_TEST_DOOMED", dir.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(doomed.stdout.take().unwrap()).lines();
    let pid: i32 = lines
        .map(Result::unwrap)
        .find_map(|line| {
            line.split_once("started ")
                .map(|(_, pid)| pid.parse().unwrap())
        })
        .unwrap();
    assert!(alive(pid));
    doomed.kill().unwrap();
    doomed.wait().unwrap();
    // Ends by SIGQUIT, which takes no checkpoint.
    let began = std::time::Instant::now();
    while alive(pid) {
        assert!(
            began.elapsed().as_secs() < 60,
            "the server outlives its process"
        );
        std::thread::yield_now();
    }
    assert_eq!(psql(&start(dir.path()), "postgres", "SELECT 1"), "1");
}

#[test]
fn a_temporary_cluster_leaves_nothing() {
    let cluster = TemporaryCluster::start(None, Profile::Fast).unwrap();
    let folder = cluster.log_file().parent().unwrap().to_path_buf();
    let pid = cluster.postmaster_pid().unwrap();
    cluster.kill9().unwrap();
    cluster.restart().unwrap();
    assert_eq!(psql(&cluster, "postgres", "SELECT 1"), "1");
    drop(cluster);
    assert!(!folder.exists());
    assert!(!alive(pid));
}

#[test]
fn database_names_that_need_quoting_are_refused() {
    let dir = temp();
    let cluster = start(dir.path());
    for name in ["", "Upper", "a-b", "1st", "a\"b", &"x".repeat(64)] {
        let error = cluster.ensure_database(name).unwrap_err();
        assert!(matches!(error, Error::BadDatabaseName(_)), "{name}");
    }
    let rows = cluster
        .administer("postgres", "SELECT 'a', NULL, 3; SELECT 'last', NULL")
        .unwrap();
    assert_eq!(rows, [[Some("last".to_owned()), None]]);
    let error = cluster
        .administer("postgres", "SELECT 1/0")
        .unwrap_err()
        .to_string();
    assert!(error.contains("22012"), "{error}");
    // The socket is really the one in the address.
    UnixStream::connect(cluster.socket_dir().join(".s.PGSQL.5432")).unwrap();
}
