//! What a program is confined to: its user, its limits, its umask, the variables it sees.

use belay_worker::executors::command::{CommandExecutor, CommandSettings, Limits};
use belay_worker::executors::{Control, Executor, Finish, Rung, StopCause};

use crate::support::Job;

async fn says(job: Job) -> String {
    let (finish, output) = job.run().await;
    assert_eq!(finish, Finish::Completed, "{output:?}");
    output.stdout
}

fn job(script: &str, change: impl FnOnce(&mut CommandSettings)) -> Job {
    let mut job = Job::sh(script);
    change(&mut job.settings);
    job
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn its_umask_is_that_of_the_kind() {
    assert_eq!(says(job("umask", |s| s.umask = Some(0o27))).await, "0027\n");
}

#[tokio::test]
async fn limits_bind_the_program_and_what_it_starts() {
    let limits = Limits {
        cpu_s: Some(7),
        memory_bytes: Some(512 * 1024 * 1024),
        open_files: Some(33),
        file_size_bytes: Some(1024 * 1024),
        core_bytes: Some(0),
        processes: None,
    };
    let script = "sh -c 'ulimit -t; ulimit -Hv; ulimit -n; ulimit -f; ulimit -c'";
    let said = says(job(script, |s| s.limits = limits)).await;
    assert_eq!(said, "7\n524288\n33\n2048\n0\n");
}

#[tokio::test]
async fn a_program_that_uses_too_much_processor_time_is_killed() {
    let limits = Limits {
        cpu_s: Some(1),
        ..Limits::default()
    };
    let (finish, output) = job("while :; do :; done", |s| s.limits = limits)
        .run()
        .await;
    assert!(
        matches!(&finish, Finish::Failed { error, .. } if error.contains("signal")),
        "{finish:?}"
    );
    assert!(
        output.ran.is_some_and(|ran| ran.as_secs() >= 1),
        "{output:?}"
    );
}

#[tokio::test]
async fn a_file_that_grows_too_large_is_cut_off() {
    let limits = Limits {
        file_size_bytes: Some(1000),
        ..Limits::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    let script = format!("head -c 5000 /dev/zero > {}", file.display());
    let (finish, _) = job(&script, |s| s.limits = limits).run().await;
    assert!(matches!(finish, Finish::Failed { .. }), "{finish:?}");
    assert_eq!(std::fs::metadata(file).unwrap().len(), 1000);
}

#[tokio::test]
async fn it_can_be_kept_from_gaining_rights() {
    let script = "grep NoNewPrivs /proc/self/status";
    assert_eq!(says(job(script, |_| ())).await, "NoNewPrivs:\t0\n");
    let kept = says(job(script, |s| s.no_new_privileges = true)).await;
    assert_eq!(kept, "NoNewPrivs:\t1\n");
}

#[tokio::test]
async fn variables_of_the_daemon_pass_by_name_only() {
    let path = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let script = "echo \"${CARGO_MANIFEST_DIR-none}\"";
    assert_eq!(says(job(script, |_| ())).await, "none\n");
    let passed = says(job(script, |s| {
        s.pass_env = vec!["CARGO_MANIFEST_DIR".into()];
    }))
    .await;
    assert_eq!(passed, format!("{path}\n"));
}

#[tokio::test]
async fn another_user_is_that_user_in_everything() {
    let change = |s: &mut CommandSettings| s.user = Some("daemon".into());
    if !is_root() {
        let mut settings = CommandSettings::new(vec!["/bin/true".into()]);
        change(&mut settings);
        let refused = CommandExecutor::new(settings)
            .unwrap()
            .prepare()
            .unwrap_err();
        assert!(refused.contains("only root"), "{refused}");
        return;
    }
    let script = "id -un; id -gn; id -G; echo $USER $LOGNAME; grep -c '^Groups:.* 0 ' /proc/self/status; kill -0 1 2>&1 | tail -c 14; sleep 0.01";
    let said = says(job(script, change)).await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..2], ["daemon", "daemon"], "{said}");
    assert!(!lines[2].split(' ').any(|group| group == "0"), "{said}");
    assert_eq!(lines[3], "daemon daemon");
    assert_eq!(lines[4], "0", "no group of root is left");
}

#[tokio::test]
async fn another_user_is_stopped_like_any_other() {
    if !is_root() {
        return;
    }
    let mut job = Job::sh("trap '' TERM; (setsid sleep 600 &); echo up; while :; do sleep 1; done");
    job.settings.user = Some("daemon".into());
    let started = job.grace(std::time::Duration::from_millis(200)).start();
    started.says("up").await;
    started
        .control
        .send(Control::Stop(StopCause::Cancel))
        .unwrap();
    let finish = started.finish().await;
    assert!(
        matches!(finish, Finish::Stopped { rung: Rung::Kill }),
        "{finish:?}"
    );
}

#[tokio::test]
async fn a_folder_that_the_user_may_not_enter_is_refused() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    let (finish, _) = job("pwd", |s| {
        s.user = Some("daemon".into());
        s.cwd = Some(folder.path().to_owned());
    })
    .run()
    .await;
    assert!(
        matches!(&finish, Finish::Failed { error, .. } if error.contains("ermission denied")),
        "{finish:?}"
    );
}

#[tokio::test]
async fn who_is_not_there_is_refused_before_anything_starts() {
    let mut settings = CommandSettings::new(vec!["/bin/true".into()]);
    settings.user = Some("no such user".into());
    let executor = CommandExecutor::new(settings).unwrap();
    let refused = executor.prepare().unwrap_err();
    assert!(
        refused.contains("no such user") || refused.contains("only root"),
        "{refused}"
    );
}
