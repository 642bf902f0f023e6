//! What commands print: tables for people, the JSON of the HTTP API for programs.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::exit::Failure;

/// Says something beside the answer, on standard error. Nobody there to hear it is no reason to fail.
pub(crate) fn note(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr(), "{}", text.as_ref());
}

/// Where answers go.
#[derive(Debug)]
pub(crate) struct Out {
    writer: BufWriter<StdoutLock<'static>>,
    json: bool,
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            writer: BufWriter::new(io::stdout().lock()),
            json,
        }
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one JSON value: indented, or on one line when values follow one another.
    pub(crate) fn json(&mut self, value: &impl Serialize, one_line: bool) -> Result<(), Failure> {
        if one_line {
            serde_json::to_writer(&mut self.writer, value)?;
        } else {
            serde_json::to_writer_pretty(&mut self.writer, value)?;
        }
        self.line("")
    }

    /// Prints a line, at once.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        writeln!(self.writer, "{}", text.as_ref())?;
        Ok(self.writer.flush()?)
    }

    /// Prints text as it is, at once.
    pub(crate) fn raw(&mut self, text: &str) -> Result<(), Failure> {
        self.writer.write_all(text.as_bytes())?;
        Ok(self.writer.flush()?)
    }

    /// Prints a table; `empty` when it has no rows.
    pub(crate) fn table(
        &mut self,
        header: &[&str],
        rows: Vec<Vec<String>>,
        empty: &str,
    ) -> Result<(), Failure> {
        if rows.is_empty() {
            return self.line(empty);
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(header.iter().map(|word| word.to_uppercase()));
        for row in rows {
            table.add_row(row.iter().map(|cell| plain(cell)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// Prints names and their values, one pair a line.
    pub(crate) fn pairs(&mut self, pairs: &[(&str, String)]) -> Result<(), Failure> {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in pairs {
            self.line(format!("{name:width$}  {}", plain(value)))?;
        }
        Ok(())
    }
}

/// Text from a job must not command the terminal it is shown on.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A time, to the second.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A time, or a dash.
pub(crate) fn maybe_time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".into(), time)
}

/// A time, to the millisecond.
pub(crate) fn exact_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Two units of a duration at most: "3m 20s", "2h 5m", "250ms".
pub(crate) fn duration(duration: Duration) -> String {
    let whole = if duration < Duration::from_secs(1) {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_secs(duration.as_secs())
    };
    let text = humantime::format_duration(whole).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// How long ago something was; "0s" for what lies ahead.
pub(crate) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    duration((now - at).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(plain("a\x1b[31mb\nc\u{9b}d"), "a\u{fffd}[31mb c\u{fffd}d");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(Duration::from_secs(93_784)), "1day 2h");
        assert_eq!(duration(Duration::from_micros(1_500)), "1ms");
        assert_eq!(duration(Duration::from_millis(2_999)), "2s");
        assert_eq!(duration(Duration::ZERO), "0s");
    }
}
