//! What is wrong with a configuration is said with its place, its member, its value and what is expected.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

mod secrets;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use belay::config::{Config, Env, Flags, Format};
use tempfile::TempDir;

fn flags(dir: &TempDir, text: &str) -> Flags {
    let file = dir.path().join("belay.toml");
    fs::write(&file, text).unwrap();
    Flags {
        config: Some(file),
        data_dir: Some(PathBuf::from("/data")),
        ..Flags::default()
    }
}

/// The error without the folder of the file.
fn error(text: &str, env: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let env: Env = env.iter().copied().collect();
    let error = Config::load(&flags(&dir, text), &env).unwrap_err();
    error
        .to_string()
        .replace(&format!("{}/", dir.path().display()), "")
}

const KIND: &str = "[kinds.mail]\nexecutor = \"command\"\nargv = [\"/bin/mail\"]\n";

#[test]
fn errors_of_the_file() {
    let kind = |more: &str| format!("{KIND}{more}\n");
    let sql = |url: &str, statement: &str| {
        format!(
            "[kinds.mail]\nexecutor = \"sql\"\ndatabase_url = {url}\nstatement = \"{statement}\"\n"
        )
    };
    for (text, expected) in [
        (
            "[worker]\nslot = 4\n".to_owned(),
            "belay.toml, line 2: worker.slot: unknown field `slot`, expected one of",
        ),
        (
            "[workers]\n".to_owned(),
            "belay.toml, line 1: workers: unknown field `workers`",
        ),
        (
            "[worker]\n\nslots = \"many\"\n".to_owned(),
            "belay.toml, line 3: worker.slots: invalid type: string \"many\", expected u32",
        ),
        (
            "[worker]\nslots = 10001\n".to_owned(),
            "belay.toml, line 2: worker.slots: slots is 10001, it must be from 0 to 10000",
        ),
        (
            "[worker]\nlease = 15\n".to_owned(),
            "belay.toml, line 2: worker.lease: invalid type: integer `15`, expected a duration in quotes with its unit",
        ),
        (
            "[worker]\nlease = \"2s\"\nbeat = \"1s\"\n".to_owned(),
            "belay.toml, line 2: worker.lease: lease is 2s and beat is 1s: a lease must be at least four beats long",
        ),
        (
            "[worker]\ndrain = \"soon\"\n".to_owned(),
            "belay.toml, line 2: worker.drain: \"soon\" is not a duration; write for example \"10s\"",
        ),
        (
            "[worker]\nqueues = []\n".to_owned(),
            "belay.toml, line 2: worker.queues: queues is an empty list",
        ),
        (
            "[retention]\njobs = \"1m\"\n".to_owned(),
            "belay.toml, line 2: retention.jobs: retention.jobs is 60s, it must be at least 3600s",
        ),
        (
            "[http]\nlisten = \"7117\"\n".to_owned(),
            "belay.toml, line 2: http.listen: \"7117\" is not an address with a port; write for example 127.0.0.1:7117",
        ),
        (
            "[ingest]\nmax_age = \"59s\"\n".to_owned(),
            "belay.toml, line 2: ingest.max_age: ingest.max_age is 59s, it must be at least 60s",
        ),
        (
            "[ingest.objects.o]\ntable = \"contacts\"\nkey = [\"id\"]\ncolumns = [\"id\"]\n"
                .to_owned(),
            "belay.toml, line 2: ingest.objects.o.table: \"contacts\" is not a table with its schema",
        ),
        (
            "[ingest.objects.o]\ntable = \"belay.job\"\nkey = [\"id\"]\ncolumns = [\"id\"]\n"
                .to_owned(),
            "belay.toml, line 2: ingest.objects.o.table: \"belay.job\" is not a table to load into",
        ),
        (
            "[ingest.objects.o]\ntable = \"a.b\"\nkey = [\"x\"]\ncolumns = [\"id\"]\n".to_owned(),
            "belay.toml, line 3: ingest.objects.o.key: the column \"x\" is not in columns",
        ),
        (
            "[kinds.ingest]\nexecutor = \"command\"\nargv = [\"x\"]\n".to_owned(),
            "belay.toml, line 1: kinds.ingest: \"ingest\" is built in",
        ),
        (
            "[http]\nthreads = 0\n".to_owned(),
            "belay.toml, line 2: http.threads: 0 is out of range; it must be from 1 to 256",
        ),
        (
            "[log]\nformat = \"xml\"\n".to_owned(),
            "belay.toml, line 2: log.format: unknown variant `xml`, expected `text` or `json`",
        ),
        (
            "[log]\nfilter = \"belay=loud\"\n".to_owned(),
            "belay.toml, line 2: log.filter: \"belay=loud\" is not a log filter",
        ),
        (
            "[database]\nurl = \"db.example:5432\"\n".to_owned(),
            "belay.toml, line 2: database.url: is not a connection string of PostgreSQL",
        ),
        (
            "[database]\npool_size = 0\n".to_owned(),
            "belay.toml, line 2: database.pool_size: 0 is out of range; it must be from 1 to 1000",
        ),
        (
            "[database]\npool_wait = \"2m\"\n".to_owned(),
            "belay.toml, line 2: database.pool_wait: 2m is out of range; it must be from 10ms to 1m",
        ),
        (
            "[kinds.mail]\nexecutor = \"command\"\n".to_owned(),
            "belay.toml, line 1: kinds.mail: missing field `argv`",
        ),
        (
            "[kinds.mail]\nexecutor = \"shell\"\nargv = [\"x\"]\n".to_owned(),
            "belay.toml, line 2: kinds.mail.executor: unknown variant `shell`, expected one of `command`, `http`, `sql`, `remote`",
        ),
        (
            sql("\"dbname=x\"", "drop table t"),
            "belay.toml, line 4: kinds.mail.statement: `statement` begins with \"drop\"; it must begin with one of",
        ),
        (
            sql("\"dbname=x\"", "select 1; select 2"),
            "belay.toml, line 4: kinds.mail.statement: `statement` has a second statement",
        ),
        (
            sql("\"dbname=x\"", "select $1"),
            "belay.toml, line 1: kinds.mail.params: `params` has 0 entries, but the statement uses the parameters up to $1",
        ),
        (
            sql("\"hunter2\"", "select 1"),
            "belay.toml, line 3: kinds.mail.database_url: `database_url` is not a connection string",
        ),
        (
            sql("{ env = \"BELAY_NO_SUCH_VARIABLE\" }", "select 1"),
            "belay.toml, line 3: kinds.mail.database_url: the variable BELAY_NO_SUCH_VARIABLE is not set",
        ),
        (
            sql("{ file = \"/no/such/file\" }", "select 1"),
            "belay.toml, line 3: kinds.mail.database_url: cannot read /no/such/file: ",
        ),
        (
            sql("{ secret = \"hunter2\" }", "select 1"),
            "belay.toml, line 3: kinds.mail.database_url: expected a connection string in quotes, or {",
        ),
        (
            "[kinds.hook]\nexecutor = \"http\"\n".to_owned(),
            "belay.toml, line 1: kinds.hook: missing field `url`",
        ),
        (
            "[kinds.hook]\nexecutor = \"http\"\nurl = \"http://{payload.host}/\"\n".to_owned(),
            "belay.toml, line 3: kinds.hook.url: `url` has a placeholder before its path",
        ),
        (
            "[kinds.hook]\nexecutor = \"http\"\nurl = \"http://h/\"\nallow = [\"127.1\"]\n"
                .to_owned(),
            "belay.toml, line 4: kinds.hook.allow: `allow` \"127.1\" is neither an address, nor a network",
        ),
        (
            "[kinds.hook]\nexecutor = \"http\"\nurl = \"http://h/\"\nheaders = { Host = \"x\" }\n"
                .to_owned(),
            "belay.toml, line 4: kinds.hook.headers: `headers` \"Host\" is set by Belay itself",
        ),
        (
            "[kinds.sleep]\nexecutor = \"command\"\nargv = [\"x\"]\n".to_owned(),
            "belay.toml, line 1: kinds.sleep: \"sleep\" is built in; choose another name",
        ),
        (
            "[kinds.cancel_jobs]\nexecutor = \"command\"\nargv = [\"x\"]\n".to_owned(),
            "belay.toml, line 1: kinds.cancel_jobs: \"cancel_jobs\" is built in; choose another name",
        ),
        (
            "\n[kinds.\"a b\"]\nexecutor = \"command\"\nargv = [\"x\"]\n".to_owned(),
            "belay.toml, line 2: kinds.a b: \"a b\" is not a name of a kind",
        ),
        (
            "[kinds.mail]\nexecutor = \"command\"\nargv = []\n".to_owned(),
            "belay.toml, line 3: kinds.mail.argv: `argv` names no program",
        ),
        (
            "[kinds.mail]\nexecutor = \"remote\"\nargv = [\"x\"]\n".to_owned(),
            "belay.toml, line 3: kinds.mail.argv: unknown field `argv`",
        ),
        (
            "[kinds.mail]\nexecutor = \"remote\"\ngrace = \"8d\"\n".to_owned(),
            "belay.toml, line 3: kinds.mail.grace: 8days is too long",
        ),
        (
            kind("grace = \"8d\""),
            "belay.toml, line 4: kinds.mail.grace: ",
        ),
        (
            kind("timeout = \"1500ms\""),
            "belay.toml, line 4: kinds.mail.timeout: 1s 500ms is not a whole number of seconds",
        ),
        (
            kind("priority = 10"),
            "belay.toml, line 4: kinds.mail.priority: 10 is out of range; it must be from 0 to 9",
        ),
        (
            kind("max_attempts = 0"),
            "belay.toml, line 4: kinds.mail.max_attempts: 0 is out of range; it must be from 1 to 1000",
        ),
        (
            kind("queue = \"\""),
            "belay.toml, line 4: kinds.mail.queue: \"\" is not a name of a queue",
        ),
        (
            kind("backoff = \"2h\"\nbackoff_max = \"1h\""),
            "belay.toml, line 5: kinds.mail.backoff_max: 1h is out of range; it must be from 2h to",
        ),
        (
            kind("env = { BELAY_FENCE = \"1\" }"),
            "belay.toml, line 4: kinds.mail.env: `env` sets \"BELAY_FENCE\"",
        ),
        (
            kind("cwd = \"tmp\""),
            "belay.toml, line 4: kinds.mail.cwd: `cwd` is \"tmp\": it must be an absolute path",
        ),
        ("[worker\nslots = 1\n".to_owned(), "belay.toml, line 1: "),
        (
            "[worker]\nslots = 1\nslots = 2\n".to_owned(),
            "belay.toml, line 3: ",
        ),
    ] {
        let found = error(&text, &[]);
        assert!(
            found.starts_with(expected),
            "for\n{text}\nexpected {expected}\nfound    {found}"
        );
    }
}

#[test]
fn errors_of_the_environment() {
    for (name, value, expected) in [
        (
            "BELAY_LISTEN",
            "localhost",
            "environment: BELAY_LISTEN: \"localhost\" is not an address with a port",
        ),
        (
            "BELAY_LOG",
            "belay=loud",
            "environment: BELAY_LOG: \"belay=loud\" is not a log filter",
        ),
        (
            "BELAY_LOG_FORMAT",
            "xml",
            "environment: BELAY_LOG_FORMAT: unknown variant `xml`",
        ),
        (
            "DATABASE_URL",
            "mysql://x",
            "environment: DATABASE_URL: is not a connection string of PostgreSQL",
        ),
        (
            "DATABASE_URL_FILE",
            "/no/such/file",
            "environment: DATABASE_URL_FILE: cannot read /no/such/file: ",
        ),
    ] {
        let found = error("", &[(name, value)]);
        assert!(found.starts_with(expected), "{found}");
    }
    let both = [
        ("DATABASE_URL", "postgres://a"),
        ("DATABASE_URL_FILE", "/etc/hostname"),
    ];
    assert!(error("", &both).contains("both DATABASE_URL and DATABASE_URL_FILE are set"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let flags = Flags {
        config: Some("/no/such/belay.toml".into()),
        ..Flags::default()
    };
    let error = Config::load(&flags, &Env::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/no/such/belay.toml: cannot be read: "),
        "{error}"
    );
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let dir = tempfile::tempdir().unwrap();
    let file = "data_dir = \"/file\"\n[http]\nlisten = \"127.0.0.1:1\"\n[log]\nfilter = \"error\"\n[worker]\nslots = 3\n";
    let env: Env = [
        ("BELAY_DATA_DIR", "/env"),
        ("BELAY_LISTEN", "127.0.0.1:2"),
        ("BELAY_LOG", "warn"),
    ]
    .into_iter()
    .collect();
    let mut flags = flags(&dir, file);
    flags.data_dir = None;

    let by_file = Config::load(&flags, &Env::default()).unwrap();
    assert_eq!(by_file.data_dir.path(), PathBuf::from("/file"));
    assert_eq!(by_file.http.listen.port(), 1);
    assert_eq!(by_file.log.filter, "error");
    assert_eq!(by_file.worker.slots, 3);
    assert_eq!(by_file.worker.beat, Duration::from_secs(1));

    let by_env = Config::load(&flags, &env).unwrap();
    assert_eq!(by_env.data_dir.path(), PathBuf::from("/env"));
    assert_eq!(by_env.http.listen.port(), 2);
    assert_eq!(by_env.log.filter, "warn");

    flags.data_dir = Some("/flag".into());
    flags.listen = Some("127.0.0.1:3".parse().unwrap());
    flags.log = Some("debug".into());
    flags.log_format = Some(Format::Json);
    let by_flag = Config::load(&flags, &env).unwrap();
    assert_eq!(by_flag.data_dir.path(), PathBuf::from("/flag"));
    assert_eq!(by_flag.http.listen.port(), 3);
    assert_eq!(by_flag.log.filter, "debug");
    assert_eq!(by_flag.log.format, Format::Json);
}
