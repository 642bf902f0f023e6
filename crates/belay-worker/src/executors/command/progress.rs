//! Progress lines: `done/total words`, read leniently from the program's descriptor 3.

use super::super::Progress;
use super::capture::clean;

/// Longest line looked at, in bytes; the rest of a longer one is skipped.
const MAX_LINE: usize = 1024;
/// Longest message kept, in characters.
const MAX_MESSAGE: usize = 200;

/// Cuts a byte stream into lines of bounded length.
#[derive(Debug, Default)]
pub(super) struct ProgressLines {
    line: Vec<u8>,
}

impl ProgressLines {
    /// Takes the next bytes and returns the newest progress among the lines they end.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<Progress> {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let begun = lines.next_back().unwrap_or_default();
        let Some(first) = lines.next() else {
            self.extend(begun);
            return None;
        };
        self.extend(first);
        // From the newest on: of a flood of lines only one has to be read.
        let newest = lines.rev().find_map(parse).or_else(|| parse(&self.line));
        self.line.clear();
        self.extend(begun);
        newest
    }

    fn extend(&mut self, piece: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.line.len()).min(piece.len());
        self.line.extend(piece.get(..room).unwrap_or_default());
    }

    /// The stream has ended: a last line may lack its newline.
    pub(super) fn finish(&mut self) -> Option<Progress> {
        parse(&std::mem::take(&mut self.line))
    }
}

/// A word that may stand before the numbers.
const WORD: &[u8] = b"BELAY_PROGRESS";

/// Reads `done`, `done/total` or `percent%`, each with an optional message, and perhaps `BELAY_PROGRESS` before it; anything else is
/// no progress.
fn parse(line: &[u8]) -> Option<Progress> {
    let line = line.get(..MAX_LINE).unwrap_or(line).trim_ascii();
    let line = match line.strip_prefix(WORD) {
        Some(rest) if rest.first().is_some_and(u8::is_ascii_whitespace) => rest.trim_ascii_start(),
        _ => line,
    };
    if !line.first()?.is_ascii_digit() {
        return None;
    }
    let line = clean(line);
    let digits = |text: &str| {
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let (done, rest) = line.split_at(digits(&line));
    let done = done.parse().ok()?;
    let rest = rest.trim_start();
    let (total, rest) = if let Some(rest) = rest.strip_prefix('/') {
        let rest = rest.trim_start();
        let (total, rest) = rest.split_at(digits(rest));
        (Some(total.parse().ok()?), rest)
    } else if let Some(rest) = rest.strip_prefix('%') {
        (Some(100), rest)
    } else {
        (None, rest)
    };
    let message: String = rest.trim().chars().take(MAX_MESSAGE).collect();
    Some(Progress {
        done,
        total,
        message: (!message.is_empty()).then_some(message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(done: i64, total: Option<i64>, message: Option<&str>) -> Option<Progress> {
        Some(Progress {
            done,
            total,
            message: message.map(str::to_owned),
        })
    }

    #[test]
    fn reads_the_usual_spellings() {
        for (line, expected) in [
            ("3/10", progress(3, Some(10), None)),
            (" 3 / 10  loading\r", progress(3, Some(10), Some("loading"))),
            ("7", progress(7, None, None)),
            ("7 rows", progress(7, None, Some("rows"))),
            ("40%", progress(40, Some(100), None)),
            ("1/2 a\0b", progress(1, Some(2), Some("a\u{fffd}b"))),
            ("BELAY_PROGRESS 3/10", progress(3, Some(10), None)),
            (
                "BELAY_PROGRESS\t4/9 pages",
                progress(4, Some(9), Some("pages")),
            ),
            ("BELAY_PROGRESS3/10", None),
            ("BELAY_PROGRESS", None),
            ("", None),
            ("-1/2", None),
            ("1/x", None),
            ("loading", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn lines_may_come_in_pieces_and_the_newest_wins() {
        let mut lines = ProgressLines::default();
        assert_eq!(lines.push(b"1/"), None);
        assert_eq!(lines.push(b""), None);
        assert_eq!(lines.push(b"8\n"), progress(1, Some(8), None));
        assert_eq!(lines.push(b"\n\nno\n"), None);
        assert_eq!(lines.push(b"1/"), None);
        assert_eq!(
            lines.push(b"9\n2/9\nrubbish\n3"),
            progress(2, Some(9), None)
        );
        assert_eq!(lines.push(b"/9"), None);
        assert_eq!(lines.finish(), progress(3, Some(9), None));
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let mut lines = ProgressLines::default();
        for _ in 0..100 {
            assert_eq!(lines.push(&[b'1'; 1000]), None);
        }
        assert!(lines.line.len() <= MAX_LINE);
        assert_eq!(lines.push(b"\n5/6\n"), progress(5, Some(6), None));
    }
}
