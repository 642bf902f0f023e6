//! The environment of a program: a short list from the daemon, the kind's own, and the attempt's fields.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::Attempt;
use super::account::Account;
use super::settings::CommandSettings;

/// Where programs are looked for when the daemon itself has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Name of the variable that marks every process of one run.
pub(super) const RUN: &str = "BELAY_RUN";

/// Builds the whole environment of one attempt. `run` is its [`run_name`].
pub(super) fn build(
    own: impl Iterator<Item = (OsString, OsString)>,
    settings: &CommandSettings,
    account: Option<&Account>,
    attempt: &Attempt,
    run: &str,
) -> BTreeMap<OsString, OsString> {
    let mut env = BTreeMap::from([("PATH".into(), DEFAULT_PATH.into())]);
    env.extend(own.filter(|(name, _)| {
        is_passed_on(name)
            || settings
                .pass_env
                .iter()
                .any(|passed| name == passed.as_str())
    }));
    if let Some(account) = account {
        // Not those of the daemon's user, also when this one has none.
        for name in ["HOME", "USER", "LOGNAME"] {
            env.remove(OsStr::new(name));
        }
        let of_user = [
            ("HOME", account.home.as_ref()),
            ("USER", account.name.as_ref()),
            ("LOGNAME", account.name.as_ref()),
        ];
        env.extend(
            of_user
                .into_iter()
                .filter_map(|(name, value)| Some((name.into(), value?.into()))),
        );
    }
    env.extend(
        settings
            .env
            .iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    let fields = [
        ("BELAY_JOB_ID", attempt.job.to_string()),
        ("BELAY_JOB_UID", attempt.uid.clone()),
        ("BELAY_TENANT", attempt.tenant.to_string()),
        ("BELAY_QUEUE", attempt.queue.clone()),
        ("BELAY_KIND", attempt.kind.clone()),
        ("BELAY_ATTEMPT", attempt.attempt.to_string()),
        ("BELAY_MAX_ATTEMPTS", attempt.max_attempts.to_string()),
        ("BELAY_FENCE", attempt.fence.to_string()),
        ("BELAY_PROGRESS_FD", "3".to_owned()),
        (RUN, run.to_owned()),
    ];
    env.extend(
        fields
            .into_iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    env
}

/// A list of what may pass rather than of what may not: the daemon's environment holds its database
/// password, and secrets that nobody here knows of.
fn is_passed_on(name: &OsStr) -> bool {
    let name = name.as_bytes();
    matches!(name, b"PATH" | b"HOME" | b"LANG" | b"TZ") || name.starts_with(b"LC_")
}

/// A name no other run on this machine has: daemons of several databases can share a machine, so the job's
/// own fields would not do.
pub(super) fn run_name() -> String {
    static STARTED: OnceLock<u128> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let started = STARTED.get_or_init(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos())
    });
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{started:x}-{count}", std::process::id())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::*;
    use crate::executors::{Control, Output, Progress, Sink};

    #[derive(Debug)]
    struct Deaf;
    impl Sink for Deaf {
        fn output(&self, _: Output) {}
        fn progress(&self, _: Progress) {}
    }

    fn attempt() -> Attempt {
        Attempt {
            job: 42,
            uid: "u".into(),
            tenant: 1,
            queue: "q".into(),
            kind: "k".into(),
            attempt: 2,
            max_attempts: 5,
            fence: 7,
            worker: 1,
            lease: watch::Sender::new(std::time::Duration::MAX).subscribe(),
            payload: String::new(),
            control: watch::channel(Control::Run).1,
            sink: Arc::new(Deaf),
        }
    }

    fn with_env(variables: &[(&str, &str)]) -> CommandSettings {
        let mut settings = CommandSettings::new(Vec::new());
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        settings.env = variables.iter().map(owned).collect();
        settings
    }

    #[test]
    fn another_user_has_a_home_and_a_name_of_its_own() {
        let own = [("HOME", "/root"), ("USER", "root"), ("SSH_AGENT", "s")];
        let own = || own.into_iter().map(|(n, v)| (n.into(), v.into()));
        let mut settings = with_env(&[("LOGNAME", "set by the kind")]);
        settings.pass_env = vec!["SSH_AGENT".into(), "USER".into()];
        let mut account = Account {
            uid: 9,
            gid: 9,
            groups: vec![9],
            name: Some("crew".into()),
            home: Some("/home/crew".into()),
        };
        let shown = |account: &Account| -> Vec<Option<String>> {
            let env = build(own(), &settings, Some(account), &attempt(), "r");
            ["HOME", "USER", "LOGNAME", "SSH_AGENT"]
                .map(|name| Some(env.get(OsStr::new(name))?.display().to_string()))
                .to_vec()
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            shown(&account),
            [
                text("/home/crew"),
                text("crew"),
                text("set by the kind"),
                text("s")
            ]
        );
        (account.name, account.home) = (None, None);
        assert_eq!(
            shown(&account),
            [None, None, text("set by the kind"), text("s")]
        );
    }

    #[test]
    fn only_listed_variables_of_the_daemon_pass() {
        let own = [
            ("HOME", "/h"),
            ("LC_ALL", "C"),
            ("DATABASE_URL", "secret"),
            ("LCX", "no"),
            ("PATHS", "no"),
            ("BELAY_CONFIG", "no"),
        ];
        let env = build(
            own.into_iter().map(|(n, v)| (n.into(), v.into())),
            &with_env(&[("HOME", "/kind")]),
            None,
            &attempt(),
            "r",
        );
        let text: Vec<String> = env
            .iter()
            .map(|(n, v)| format!("{}={}", n.display(), v.display()))
            .collect();
        assert_eq!(
            text,
            [
                "BELAY_ATTEMPT=2",
                "BELAY_FENCE=7",
                "BELAY_JOB_ID=42",
                "BELAY_JOB_UID=u",
                "BELAY_KIND=k",
                "BELAY_MAX_ATTEMPTS=5",
                "BELAY_PROGRESS_FD=3",
                "BELAY_QUEUE=q",
                "BELAY_RUN=r",
                "BELAY_TENANT=1",
                "HOME=/kind",
                "LC_ALL=C",
                &format!("PATH={DEFAULT_PATH}"),
            ]
        );
    }

    #[test]
    fn run_names_differ() {
        assert_ne!(run_name(), run_name());
    }
}
