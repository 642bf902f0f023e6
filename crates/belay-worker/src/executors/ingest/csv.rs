//! CSV that arrives in pieces. Records are handed on as they end, each with the line it begins in; memory is bounded by the longest
//! record allowed, whatever the quotes do.

use csv_core::{ReadRecordResult, Reader};

/// Longest record, in bytes without quotes.
pub(super) const LONGEST_RECORD: usize = 8 << 20;
/// Most fields of a record.
pub(super) const MOST_FIELDS: usize = 10_000;

/// A record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// The line it begins in, from 1.
    pub(super) line: u64,
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Record<'a> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let text = self.text;
        let mut begin = 0;
        self.ends.iter().map(move |&end| {
            let field = text.get(begin..end).unwrap_or_default();
            begin = end;
            field
        })
    }
}

/// What is wrong with a file, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: u64,
    pub(super) message: String,
}

/// Reads one file.
#[derive(Debug)]
pub(super) struct Parser {
    core: Reader,
    text: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    ended: usize,
    /// The line at which the current record begins, once there is one.
    begin: Option<u64>,
    /// The line that comes next.
    line: u64,
    /// Whether the last byte was a carriage return outside of quotes, which may be the first half of a line's end.
    half_end: bool,
}

impl Parser {
    pub(super) fn new() -> Self {
        Self {
            core: Reader::new(),
            text: vec![0; 64 * 1024],
            filled: 0,
            ends: vec![0; 64],
            ended: 0,
            begin: None,
            line: 1,
            half_end: false,
        }
    }

    /// Takes the next piece of the file and hands on the records that end in it.
    pub(super) fn feed<E: From<Fault>>(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        loop {
            if self.begin.is_none() {
                rest = self.skip_line_ends(rest);
                if rest.is_empty() {
                    return Ok(());
                }
                self.begin = Some(self.line);
                self.core.set_line(self.line);
            }
            let (text, ends) = (
                self.text.get_mut(self.filled..).unwrap_or_default(),
                self.ends.get_mut(self.ended..).unwrap_or_default(),
            );
            let (result, read, filled, ended) = self.core.read_record(rest, text, ends);
            self.filled += filled;
            self.ended += ended;
            let (taken, left) = rest.split_at(read.min(rest.len()));
            rest = left;
            match result {
                ReadRecordResult::OutputFull => self.more_text()?,
                ReadRecordResult::OutputEndsFull => self.more_ends()?,
                ReadRecordResult::Record => {
                    self.line = self.core.line();
                    self.half_end = taken.last() == Some(&b'\r');
                    self.hand_on(each)?;
                }
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return Ok(()),
            }
        }
    }

    /// Ends the file and hands on its last record, when no line's end stood behind it.
    pub(super) fn end<E: From<Fault>>(
        &mut self,
        each: &mut impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        // Outside of quotes this ends the record, and inside it is content.
        self.feed(b"\n", each)?;
        match self.begin {
            Some(line) if self.filled > 0 => Err(Fault {
                line,
                message: "a quoted field is not closed before the end of the file".into(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    fn skip_line_ends<'a>(&mut self, mut rest: &'a [u8]) -> &'a [u8] {
        while let Some((&byte, after)) = rest.split_first() {
            match byte {
                // Counted by the reader when it ended a record, unless it is the second half of that end.
                b'\n' => self.line += 1,
                b'\r' if self.half_end => self.line += 1,
                b'\r' => {}
                _ => break,
            }
            self.half_end = byte == b'\r';
            rest = after;
        }
        if !rest.is_empty() && self.half_end {
            // It was a whole end after all.
            self.line += 1;
            self.half_end = false;
        }
        rest
    }

    fn hand_on<E: From<Fault>>(
        &mut self,
        each: &mut impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let line = self.begin.take().unwrap_or(self.line);
        let (filled, ended) = (
            std::mem::take(&mut self.filled),
            std::mem::take(&mut self.ended),
        );
        let bytes = self.text.get(..filled).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| Fault {
            line,
            message: "the record is not UTF-8".into(),
        })?;
        if bytes.contains(&0) {
            return Err(Fault {
                line,
                message: "the record holds the character NUL, which the database cannot store"
                    .into(),
            }
            .into());
        }
        each(Record {
            line,
            text,
            ends: self.ends.get(..ended).unwrap_or_default(),
        })
    }

    fn more_text(&mut self) -> Result<(), Fault> {
        if self.text.len() >= LONGEST_RECORD {
            return Err(self.fault(format!(
                "the record that begins here has more than {LONGEST_RECORD} bytes; perhaps a quote is not closed"
            )));
        }
        self.text.resize(self.text.len() * 2, 0);
        Ok(())
    }

    fn more_ends(&mut self) -> Result<(), Fault> {
        if self.ends.len() >= MOST_FIELDS {
            return Err(self.fault(format!("the record has more than {MOST_FIELDS} fields")));
        }
        self.ends.resize(self.ends.len() * 2, 0);
        Ok(())
    }

    fn fault(&self, message: String) -> Fault {
        Fault {
            line: self.begin.unwrap_or(self.line),
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rows = Vec<(u64, Vec<String>)>;

    fn read_in(pieces: &[&[u8]]) -> Result<Rows, Fault> {
        let mut rows = Rows::new();
        let mut parser = Parser::new();
        let mut each = |record: Record<'_>| -> Result<(), Fault> {
            assert_eq!(record.fields().count(), record.len());
            rows.push((
                record.line,
                record.fields().map(ToOwned::to_owned).collect(),
            ));
            Ok(())
        };
        for piece in pieces {
            parser.feed(piece, &mut each)?;
        }
        parser.end(&mut each)?;
        Ok(rows)
    }

    /// Reads a text whole, and in pieces cut at every place.
    #[track_caller]
    fn read(text: &str) -> Result<Rows, Fault> {
        let bytes = text.as_bytes();
        let whole = read_in(&[bytes]);
        // The mark at the beginning is known only in one piece, which is how files are kept.
        for cut in 3..bytes.len() {
            let (a, b) = bytes.split_at(cut);
            assert_eq!(read_in(&[a, b]), whole, "{text:?} cut at {cut}");
        }
        whole
    }

    fn rows(expected: &[(u64, &[&str])]) -> Result<Rows, Fault> {
        Ok(expected
            .iter()
            .map(|(line, row)| (*line, row.iter().map(ToString::to_string).collect()))
            .collect())
    }

    #[test]
    fn records_know_the_line_they_begin_in() {
        let expected = rows(&[(1, &["a", "b"]), (2, &["1", "2"]), (3, &["3", ""])]);
        for text in [
            "a,b\n1,2\n3,\n",
            "a,b\n1,2\n3,",
            "a,b\r\n1,2\r\n3,\r\n",
            "a,b\r1,2\r3,\r",
            "a,b\r\n1,2\n3,\r",
            "\u{feff}a,b\n1,2\n3,\n",
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
        assert_eq!(
            read("\n\r\na\n\n\nb\r\n\r\n\rc"),
            rows(&[(3, &["a"]), (6, &["b"]), (9, &["c"])])
        );
    }

    #[test]
    fn quotes_hold_everything() {
        assert_eq!(
            read("\"a,\"\"b\"\"\",\"two\nlines\r\n\"\nc,\"\"\n\"d\",x\"y\n"),
            rows(&[
                (1, &["a,\"b\"", "two\nlines\r\n"]),
                (4, &["c", ""]),
                (5, &["d", "x\"y"])
            ])
        );
    }

    #[test]
    fn nothing_is_no_record() {
        for text in ["", "\n", "\r\n\r\n", "\u{feff}", "\u{feff}\n"] {
            assert_eq!(read(text), rows(&[]), "{text:?}");
        }
        assert_eq!(read("\"\"\n"), rows(&[(1, &[""])]));
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_its_line() {
        let line = |text: &[u8]| read_in(&[text]).unwrap_err().line;
        assert_eq!(line(b"a\nb,\"c\nd\n"), 2);
        assert_eq!(line(b"a\nb\n\"c\n\xff\"\n"), 3);
        assert_eq!(line(b"a\nb\0\n"), 2);
        assert_eq!(
            line(&[b"a\n".as_slice(), &vec![b','; MOST_FIELDS * 2]].concat()),
            2
        );
        let long = vec![b'x'; LONGEST_RECORD + 1];
        assert_eq!(line(&[b"a\n\"".as_slice(), &long].concat()), 2);
        let fits = vec![b'x'; LONGEST_RECORD - 1];
        assert_eq!(read_in(&[&fits]).unwrap()[0].1[0].len(), LONGEST_RECORD - 1);
    }
}
