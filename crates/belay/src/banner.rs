//! What a person sees when the daemon is ready.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// What the banner is about.
#[derive(Debug)]
pub(crate) struct Banner<'a> {
    /// Where it answers.
    pub(crate) url: &'a str,
    /// Where the first key is, when there is one.
    pub(crate) key: Option<&'a Path>,
    /// Whether that key was made just now.
    pub(crate) new_key: bool,
    /// A client program and the connection string of the private database.
    pub(crate) database: Option<(&'a str, &'a str)>,
    /// How long running jobs get at a stop.
    pub(crate) drain: Duration,
}

impl Banner<'_> {
    /// The same for programs, on one line.
    pub(crate) fn json(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "address": self.url,
            "key_file": self.key,
            "key_made_now": self.new_key,
            "database": self.database.map(|(_, url)| url),
            "drain_s": self.drain.as_secs_f64(),
        })
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("\nBelay {} is ready.\n\n", env!("CARGO_PKG_VERSION"));
        // Writing to a String cannot fail.
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:9} {value}");
        };
        row("address", self.url);
        row("docs", &format!("{}/docs", self.url));
        if let Some(key) = self.key {
            let new = if self.new_key {
                "  (made just now)"
            } else {
                ""
            };
            row("key", &format!("{}{new}", key.display()));
        }
        if let Some((psql, url)) = self.database {
            row("database", &format!("{} {}", quoted(psql), quoted(url)));
        }
        row(
            "stop",
            &format!(
                "Ctrl-C; running jobs get {}, a second Ctrl-C stops at once",
                humantime::format_duration(self.drain)
            ),
        );
        let key = self.key.map_or_else(
            || "$BELAY_KEY".into(),
            |path| format!("$(cat {})", quoted(&path.display().to_string())),
        );
        let _ = writeln!(
            text,
            "\nA job that sleeps, and its cancel:\n\n  \
             curl -H \"Authorization: Bearer {key}\" -H 'Content-Type: application/json' \\\n       \
             -d '{{\"kind\": \"sleep\", \"payload\": {{\"seconds\": 600}}}}' {url}/belay/v1/jobs\n  \
             curl -H \"Authorization: Bearer {key}\" -X POST {url}/belay/v1/jobs/1/cancel\n",
            url = self.url
        );
        text
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-:@%+=,".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        for (word, expected) in [
            ("/var/lib/belay", "/var/lib/belay"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("postgres://x?a&b", "'postgres://x?a&b'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn programs_are_told_the_same() {
        let elsewhere = Banner {
            url: "http://[::1]:80",
            key: None,
            new_key: false,
            database: None,
            drain: Duration::from_millis(1500),
        };
        assert_eq!(
            elsewhere.json(),
            json!({
                "version": env!("CARGO_PKG_VERSION"), "address": "http://[::1]:80", "key_file": null, "key_made_now": false,
                "database": null, "drain_s": 1.5
            })
        );
        let private = Banner {
            key: Some(Path::new("/data/admin.key")),
            database: Some(("psql", "postgres://belay@/belay")),
            ..elsewhere
        };
        assert_eq!(private.json()["key_file"], "/data/admin.key");
        assert_eq!(private.json()["database"], "postgres://belay@/belay");
    }

    #[test]
    fn it_says_where_everything_is() {
        let text = Banner {
            url: "http://127.0.0.1:7117",
            key: Some(Path::new("/data/admin.key")),
            new_key: true,
            database: Some(("psql", "postgres://belay@/belay?host=%2Frun&port=5432")),
            drain: Duration::from_secs(30),
        }
        .text();
        for part in [
            "  address   http://127.0.0.1:7117\n",
            "  key       /data/admin.key  (made just now)\n",
            "  database  psql 'postgres://belay@/belay?host=%2Frun&port=5432'\n",
            "Bearer $(cat /data/admin.key)\"",
            "get 30s",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
