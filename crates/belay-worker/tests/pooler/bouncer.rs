//! A PgBouncer in transaction mode before the test database, with fewer server connections than clients.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use belay_testkit::{TestDb, eventually};
use diesel::prelude::*;
use diesel::sql_types::Text;
use tempfile::TempDir;

/// Ended with the value.
pub(crate) struct Bouncer {
    child: Child,
    /// Where clients connect.
    pub(crate) url: String,
    _dir: TempDir,
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

fn ask(conn: &mut PgConnection, what: &str) -> String {
    let row: Setting = diesel::sql_query(format!("select ({what})::text as value"))
        .get_result(conn)
        .unwrap();
    row.value
}

impl Bouncer {
    pub(crate) fn before(db: &TestDb) -> Self {
        let user = ask(&mut db.conn(), "current_user");
        Self::before_as(db, &user)
    }

    /// One that logs in as that role, whoever its clients are.
    pub(crate) fn before_as(db: &TestDb, user: &str) -> Self {
        let conn = &mut db.conn();
        let sockets = ask(
            conn,
            "trim(split_part(current_setting('unix_socket_directories'), ',', 1), ' \"')",
        );
        let port = ask(conn, "current_setting('port')");
        let dir = tempfile::Builder::new()
            .prefix("belay-pooler-")
            .tempdir()
            .unwrap();
        let config = dir.path().join("pgbouncer.ini");
        fs::write(
            &config,
            format!(
                "[databases]\n* = host={sockets} port={port} user={user}\n\
                 [pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {dir}\nauth_type = any\n\
                 pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 200\n",
                dir = dir.path().display()
            ),
        )
        .unwrap();
        let mut command = Command::new(program());
        command
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // It refuses to run as root; whoever runs the server may enter the folder of its socket.
        let owner = fs::metadata(&sockets).unwrap();
        if owner.uid() != fs::metadata(dir.path()).unwrap().uid() {
            for path in [dir.path(), &config] {
                chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
            }
            command.uid(owner.uid()).gid(owner.gid());
        }
        let mut child = command.spawn().unwrap();
        let url = format!(
            "postgres://{user}@/{}?host={}&port=6432",
            db.name(),
            dir.path().to_str().unwrap().replace('/', "%2F")
        );
        eventually(Duration::from_secs(30), || {
            assert!(
                child.try_wait().unwrap().is_none(),
                "pgbouncer ended; run it with {} by hand",
                config.display()
            );
            PgConnection::establish(&url).ok()
        });
        Self {
            child,
            url,
            _dir: dir,
        }
    }
}

/// Debian puts it where only root looks.
fn program() -> &'static Path {
    ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.exists())
        .expect("this test needs PgBouncer; install the package pgbouncer (./deploy/test does that on Debian)")
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
