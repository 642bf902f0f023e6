//! Requests go only where the operator meant them to go.

use std::sync::Arc;
use std::time::Duration;

use belay_worker::executors::Finish;
use belay_worker::executors::http::HttpSettings;

use crate::receiver::{Receiver, Reply};
use crate::support::{Answers, CANCEL, error_of, run, start, until};

#[track_caller]
fn assert_refused(finish: &Finish, url: &str) {
    let (error, retry) = error_of(finish);
    assert!(
        !retry && error.contains("is refused") && error.contains("`allow`"),
        "{url}: {error}"
    );
}

#[tokio::test]
async fn addresses_that_are_not_for_everybody_are_refused_however_they_are_written() {
    let receiver = Receiver::always(Reply::ok());
    let port = receiver.address.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "127.255.255.254",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "0x7f.0.0.1",
        "0x7f000001",
        "0X7F.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "\u{ff11}27.0.0.1",
        "127\u{3002}0\u{3002}0\u{3002}1",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
        "[fec0::1]",
        "[2001:db8::1]",
        "localhost",
        "LOCALHOST",
    ] {
        let url = format!("http://{host}:{port}/");
        let mut settings = HttpSettings::new(&url);
        settings.connect_timeout = Duration::from_secs(5);
        let (finish, _) = run(settings, "{}").await;
        assert_refused(&finish, &url);
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_is_refused_when_any_of_its_addresses_is() {
    let receiver = Receiver::always(Reply::ok());
    let port = receiver.address.port();
    for addresses in [
        &["127.0.0.1"][..],
        &["8.8.8.8", "127.0.0.1"],
        &["127.0.0.1", "8.8.8.8"],
        &["::ffff:127.0.0.1"],
    ] {
        let mut settings = HttpSettings::new(format!("http://hook.example:{port}/"));
        settings.lookup = Answers::new(&[addresses]);
        let (finish, _) = run(settings, "{}").await;
        assert_refused(&finish, "hook.example");
        assert!(error_of(&finish).0.contains("\"hook.example\""));
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn what_is_allowed_is_reached() {
    let receiver = Receiver::always(Reply::ok());
    let port = receiver.address.port();
    for (host, allowed) in [
        ("127.0.0.1", "127.0.0.0/8"),
        ("2130706433", "127.0.0.1"),
        ("hook.example", "hook.example"),
        ("HOOK.example.", "Hook.Example"),
        ("hook.example", "127.0.0.1/32"),
    ] {
        let mut settings = HttpSettings::new(format!("http://{host}:{port}/"));
        settings.lookup = Answers::new(&[&["127.0.0.1"]]);
        settings.allow = vec!["10.0.0.0/8".into(), allowed.into()];
        assert_eq!(
            run(settings, "{}").await.0,
            Finish::Completed,
            "{host} {allowed}"
        );
    }
}

#[tokio::test]
async fn a_name_that_changes_its_address_after_the_check_gains_nothing() {
    let target = Receiver::always(Reply::ok());
    let port = target.address.port();
    // An ordinary address when it is checked, this machine when it is asked for again.
    let names = Answers::new(&[&["192.0.9.9"], &["127.0.0.1"]]);
    let mut settings = HttpSettings::new(format!("http://hook.example:{port}/"));
    settings.lookup = Arc::<Answers>::clone(&names);
    settings.connect_timeout = Duration::from_millis(300);
    let (finish, _) = run(settings.clone(), "{}").await;
    assert!(error_of(&finish).1, "nobody is there: {finish:?}");
    assert_eq!(
        (names.asked(), target.connections()),
        (1, 0),
        "what was checked is what was connected to"
    );
    let (finish, _) = run(settings, "{}").await;
    assert_refused(&finish, "hook.example");
    assert_eq!((names.asked(), target.connections()), (2, 0));
}

#[tokio::test]
async fn the_checked_address_is_the_one_that_is_connected_to() {
    let allowed = Receiver::always(Reply::ok());
    let port = allowed.address.port();
    let refused = Receiver::on([127, 0, 0, 2].into(), port, |_| Reply::ok());
    let names = Answers::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let mut settings = HttpSettings::new(format!("http://hook.example:{port}/"));
    settings.allow = vec!["127.0.0.1/32".into()];
    settings.lookup = Arc::<Answers>::clone(&names);
    let executor = settings.clone();
    assert_eq!(run(settings, "{}").await.0, Finish::Completed);
    assert_eq!(
        (names.asked(), allowed.connections(), refused.connections()),
        (1, 1, 0)
    );
    assert_refused(&run(executor, "{}").await.0, "hook.example");
    assert_eq!(
        (names.asked(), allowed.connections(), refused.connections()),
        (2, 1, 0)
    );
}

#[tokio::test]
async fn the_cancel_url_is_checked_as_well() {
    let receiver = Receiver::always(Reply::hang());
    let port = receiver.address.port();
    // As an address: before anything is begun.
    let mut settings = HttpSettings::new(receiver.url("/"));
    settings.allow = vec!["127.0.0.1/32".into()];
    settings.cancel_url = Some(format!("http://127.2:{port}/"));
    let (finish, _) = run(settings.clone(), "{}").await;
    assert_refused(&finish, "127.2");
    assert!(error_of(&finish).0.starts_with("the cancel URL: "));
    assert_eq!(receiver.connections(), 0);
    // As a name: when it is looked up.
    settings.cancel_url = Some(format!("http://hook.example:{port}/"));
    settings.lookup = Answers::new(&[&["10.0.0.1"]]);
    let started = start(settings, "{}");
    until("the request is there", || receiver.requests().len() == 1).await;
    started.tell(CANCEL);
    let sink = started.sink.clone();
    started.end().await;
    let notes = sink.last().stderr;
    assert!(
        notes.contains("not confirmed after 1 try: the address 10.0.0.1"),
        "{notes}"
    );
}

#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    // Variables of a process cannot be set safely in a test: the same program runs again with them.
    let proxy = Receiver::always(Reply::ok());
    if std::env::var_os("HTTP_EXECUTOR_TEST_TARGET").is_none() {
        let target = Receiver::always(Reply::ok());
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "addresses::proxies_of_the_environment_are_not_used",
            ])
            .env("HTTP_EXECUTOR_TEST_TARGET", target.url("/"))
            .envs(
                ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
                    .map(|name| (name, proxy.url("/"))),
            )
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        assert_eq!((target.connections(), proxy.connections()), (1, 0));
        return;
    }
    let url = std::env::var("HTTP_EXECUTOR_TEST_TARGET").unwrap();
    assert_eq!(
        run(crate::support::settings(url), "{}").await.0,
        Finish::Completed
    );
}
