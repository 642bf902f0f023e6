//! Keeps the last bytes of an output stream and counts all of them.

use std::collections::VecDeque;

/// The tail of one stream.
#[derive(Debug)]
pub(in crate::executors) struct Tail {
    limit: usize,
    kept: VecDeque<u8>,
    total: u64,
}

impl Tail {
    /// Keeps at most `limit` bytes.
    pub(in crate::executors) fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: VecDeque::new(),
            total: 0,
        }
    }

    /// Takes the next bytes of the stream.
    pub(in crate::executors) fn push(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let skip = bytes.len().saturating_sub(self.limit);
        let bytes = bytes.get(skip..).unwrap_or_default();
        let surplus = (self.kept.len() + bytes.len()).saturating_sub(self.limit);
        self.kept.drain(..surplus);
        self.kept.extend(bytes);
    }

    /// Bytes seen in all.
    pub(in crate::executors) fn total(&self) -> i64 {
        i64::try_from(self.total).unwrap_or(i64::MAX)
    }

    /// What is kept, as text that PostgreSQL accepts.
    pub(in crate::executors) fn text(&mut self) -> String {
        let cut = self.total > self.kept.len() as u64;
        let mut bytes: &[u8] = self.kept.make_contiguous();
        if cut {
            // The cut may have gone through a character; its rest would only show as rubbish.
            let rest = bytes
                .iter()
                .take(3)
                .take_while(|byte| (0x80..0xc0).contains(*byte))
                .count();
            bytes = bytes.get(rest..).unwrap_or_default();
        }
        clean(bytes)
    }
}

/// Bytes as text: invalid UTF-8 and NUL become U+FFFD.
pub(super) fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_bytes_and_counts_all() {
        let mut tail = Tail::new(4);
        tail.push(b"ab");
        assert_eq!(tail.text(), "ab");
        tail.push(b"cde");
        assert_eq!(tail.text(), "bcde");
        tail.push(b"0123456789");
        assert_eq!(tail.text(), "6789");
        assert_eq!(tail.total(), 15);
    }

    #[test]
    fn a_limit_of_nothing_only_counts() {
        let mut tail = Tail::new(0);
        tail.push(b"abc");
        assert_eq!((tail.text().as_str(), tail.total()), ("", 3));
    }

    #[test]
    fn odd_bytes_become_replacement_characters() {
        let mut tail = Tail::new(100);
        tail.push(b"a\0b\xffc");
        assert_eq!(tail.text(), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn a_character_cut_in_half_is_dropped() {
        let mut tail = Tail::new(4);
        tail.push("xä€".as_bytes());
        assert_eq!(tail.text(), "€");
        let mut whole = Tail::new(9);
        whole.push(b"\xa4x");
        assert_eq!(whole.text(), "\u{fffd}x");
    }
}
