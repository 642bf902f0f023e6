//! Starts that are refused, and the words they are refused with.

use std::net::TcpListener;

use belay_testkit::TestDb;

use crate::support::Site;

const AWAY: &str = "postgres://nobody@127.0.0.1:1/none";

#[test]
fn an_address_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let site = Site::new();
    let said = site.refused(&["--listen", &address], 1);
    assert!(
        said.starts_with(&format!("belay: cannot listen on {address}: ")),
        "{said}"
    );
    assert!(said.contains("another belay, listens there"), "{said}");
    assert!(!site.data().exists(), "it went on all the same");
}

#[test]
fn an_address_that_is_not_ours() {
    let said = Site::new().refused(&["--listen", "192.0.2.1:80"], 1);
    assert!(said.contains("does not have that address"), "{said}");
    let said = Site::new().refused(&["--listen", "7117"], 2);
    assert!(said.contains("is not an address with a port"), "{said}");
}

#[test]
fn a_database_that_stays_away() {
    let site = Site::on(AWAY).configured("[database]\nstart_wait = \"1s\"\n");
    let said = site.refused(&[], 4);
    assert!(said.contains("waiting for the database"), "{said}");
    assert!(said.contains("Gave up after 1s; check that"), "{said}");
}

#[test]
fn a_data_directory_that_is_in_use() {
    let site = Site::new();
    let daemon = site.start();
    let said = site.refused(&[], 4);
    assert!(said.contains("is in use by"), "{said}");
    // The first one has not noticed.
    assert_eq!(daemon.get("/readyz")["status"], "ok");
    daemon.stop();
}

#[test]
fn an_open_door_without_a_key() {
    let test = TestDb::new();
    let site = Site::on(test.url());
    site.run(
        &[
            "key",
            "create",
            "--name",
            "old",
            "--scope",
            "admin",
            "--all-tenants",
        ],
        0,
    );
    site.run(&["key", "revoke", "old"], 0);
    let said = site.refused(&["--listen", "0.0.0.0:0"], 1);
    assert!(said.contains("there is no valid API key"), "{said}");
    site.start().stop();
}

#[test]
fn a_schema_that_nobody_may_change() {
    let test = TestDb::unmigrated();
    let site = Site::on(test.url()).configured("[database]\nmigrate = false\n");
    let said = site.refused(&[], 1);
    assert!(said.contains("run `belay migrate`"), "{said}");
    site.run(&["migrate"], 0);
    site.start().stop();
}

#[test]
fn programs_that_are_not_there() {
    let site = Site::new();
    let said = site.refused(&["--pg-bin", "/no/such/folder"], 4);
    assert!(said.contains("/no/such/folder"), "{said}");
}
