//! Where a page of a list begins.

use std::fmt;
use std::str::FromStr;

/// Where a page begins: below this id. Written so that nobody mistakes it for an id to count with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cursor(pub(crate) i64);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:016x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.strip_prefix('p').filter(|d| d.len() == 16).ok_or(())?;
        let id = i64::from_str_radix(digits, 16).map_err(|_| ())?;
        let cursor = Self(id);
        // One spelling only.
        (id > 0 && cursor.to_string() == text)
            .then_some(cursor)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_turn_back_and_nothing_else_is_one() {
        for id in [1, 77, i64::MAX] {
            assert_eq!(Cursor(id).to_string().parse(), Ok(Cursor(id)));
        }
        for text in [
            "",
            "p",
            "1",
            "p0000000000000000",
            "pffffffffffffffff",
            "p+000000000000001",
            "p000000000000004D",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(()), "{text}");
        }
    }
}
