//! The server's settings, by profile.

use std::fmt::Write as _;
use std::path::Path;

/// What the cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Somebody's data: nothing that is committed may be lost.
    #[default]
    Durable,
    /// Tests: as fast as possible. What is committed survives a crash of the server, but not of the machine.
    Fast,
    /// Measurements: durable like [`Profile::Durable`], with the memory of a small real server.
    Bench,
}

impl Profile {
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Durable => &[
                ("fsync", "on"),
                ("synchronous_commit", "on"),
                ("full_page_writes", "on"),
                ("shared_buffers", "128MB"),
                ("max_wal_size", "4GB"),
                ("max_connections", "100"),
                // A queue makes dead rows faster than the default of one look a minute clears them.
                ("autovacuum_naptime", "10s"),
            ],
            Self::Fast => &[
                ("fsync", "off"),
                // Without fsync a synchronous commit costs one write to the page cache, and buys that what is committed
                // survives kill -9 of the server, which tests of crashes rely on.
                ("synchronous_commit", "on"),
                ("full_page_writes", "off"),
                ("shared_buffers", "256MB"),
                ("max_wal_size", "4GB"),
                ("checkpoint_timeout", "1h"),
                ("max_connections", "300"),
                ("autovacuum_naptime", "10s"),
            ],
            Self::Bench => &[
                ("fsync", "on"),
                ("synchronous_commit", "on"),
                ("full_page_writes", "on"),
                ("shared_buffers", "1GB"),
                ("max_wal_size", "8GB"),
                ("max_connections", "200"),
                ("autovacuum_naptime", "10s"),
            ],
        }
    }
}

/// What every profile has: Unix socket only, English messages, times in UTC, and a log that stays short.
const COMMON: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    ("log_checkpoints", "off"),
    ("lc_messages", "C"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
];

/// The text of the configuration file. Later lines win in PostgreSQL, so `extra` overrides the profile.
pub(crate) fn render(
    profile: Profile,
    socket_dir: &Path,
    port: u16,
    extra: &[(String, String)],
) -> String {
    let mut text = String::from(
        "# Written at each start. Lasting changes belong into the database: ALTER SYSTEM SET name = 'value'.\n",
    );
    for (name, value) in COMMON.iter().chain(profile.settings()) {
        push(&mut text, name, value);
    }
    push(
        &mut text,
        "unix_socket_directories",
        // The value is a list of names, so a name with a comma or a blank needs quotes of its own.
        &format!("\"{}\"", socket_dir.display()),
    );
    push(&mut text, "port", &port.to_string());
    for (name, value) in extra {
        push(&mut text, name, value);
    }
    text
}

fn push(text: &mut String, name: &str, value: &str) {
    let escaped = value.replace('\\', "\\\\").replace('\'', "''");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name} = '{escaped}'");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_test_profile_gives_up_durability() {
        for (profile, expected) in [
            (Profile::Durable, "fsync = 'on'"),
            (Profile::Bench, "fsync = 'on'"),
            (Profile::Fast, "fsync = 'off'"),
        ] {
            let text = render(profile, Path::new("/run/x"), 5432, &[]);
            assert!(text.contains(expected), "{profile:?}: {text}");
            assert!(text.contains("listen_addresses = ''"), "{text}");
        }
    }

    #[test]
    fn values_are_quoted_and_the_callers_settings_come_last() {
        let extra = [("work_mem".to_owned(), "it's".to_owned())];
        let text = render(Profile::Fast, Path::new("/a, b"), 5432, &extra);
        assert!(
            text.contains("unix_socket_directories = '\"/a, b\"'"),
            "{text}"
        );
        assert!(text.ends_with("work_mem = 'it''s'\n"), "{text}");
    }
}
