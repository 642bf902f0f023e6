//! The body of an answer: bounded, and as text that can be stored.

use reqwest::Response;

/// The beginning of a body.
#[derive(Debug, Default)]
pub(super) struct Body {
    kept: Vec<u8>,
    /// Bytes received, kept or not.
    received: u64,
    /// There was more than is kept.
    is_cut: bool,
}

impl Body {
    /// Takes the next piece of a body that there is, up to `limit` bytes in all. `false` when there is nothing more to take.
    ///
    /// # Errors
    /// When the connection broke off.
    pub(super) async fn take(
        &mut self,
        response: &mut Response,
        limit: usize,
    ) -> Result<bool, reqwest::Error> {
        let Some(chunk) = response.chunk().await? else {
            return Ok(false);
        };
        self.received = self.received.saturating_add(chunk.len() as u64);
        let room = limit.saturating_sub(self.kept.len());
        let taken = chunk.get(..room.min(chunk.len())).unwrap_or_default();
        self.kept.extend_from_slice(taken);
        self.is_cut = taken.len() < chunk.len();
        Ok(!self.is_cut)
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(super) fn received(&self) -> i64 {
        i64::try_from(self.received).unwrap_or(i64::MAX)
    }

    /// What is kept: invalid UTF-8 and NUL become U+FFFD, a character that the limit cut in half goes.
    pub(super) fn text(&self) -> String {
        let mut kept = self.kept.as_slice();
        if self.is_cut
            && let Err(error) =
                std::str::from_utf8(kept.get(last_bytes(kept)..).unwrap_or_default())
            && error.error_len().is_none()
        {
            let whole = last_bytes(kept) + error.valid_up_to();
            kept = kept.get(..whole).unwrap_or_default();
        }
        String::from_utf8_lossy(kept).replace('\0', "\u{fffd}")
    }

    /// Its first words on one line, for an error: at most `max` characters.
    pub(super) fn quote(&self, max: usize) -> String {
        let text = self.text();
        one_line(&text, max)
    }
}

/// Where the last character may begin.
fn last_bytes(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(4);
    let begins = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80);
    (from..bytes.len()).rev().find(begins).unwrap_or(from)
}

/// Words on one line, without anything that a terminal would obey, at most `max` characters.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let words = text
        .split(|c: char| c.is_whitespace() || is_control(c))
        .filter(|word| !word.is_empty());
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        // No character is longer than four bytes.
        if line.len() > max * 4 {
            break;
        }
    }
    line.chars().take(max).collect()
}

/// Control characters, and those that turn the direction of what follows.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(kept: &[u8]) -> String {
        let body = Body {
            kept: kept.to_vec(),
            received: 100,
            is_cut: true,
        };
        body.text()
    }

    #[test]
    fn a_character_cut_in_half_goes_and_others_stay() {
        assert_eq!(cut(b"ab"), "ab");
        assert_eq!(cut("a\u{20ac}".as_bytes()), "a\u{20ac}");
        for end in 1..3 {
            let euro = "a\u{20ac}".as_bytes();
            assert_eq!(cut(&euro[..1 + end]), "a");
        }
        assert_eq!(cut(b""), "");
        assert_eq!(cut(b"a\xff"), "a\u{fffd}");
        assert_eq!(cut(b"\x80\x80\x80\x80\x80").chars().count(), 5);
    }

    #[test]
    fn quotes_are_one_clean_line() {
        assert_eq!(
            one_line(" a\r\n\tb\0c\u{1b}[31m \u{202e}d ", 200),
            "a b c [31m d"
        );
        assert_eq!(one_line(&"xy ".repeat(500), 7), "xy xy x");
        assert_eq!(one_line(&"\u{1f980}".repeat(500), 200).chars().count(), 200);
    }
}
