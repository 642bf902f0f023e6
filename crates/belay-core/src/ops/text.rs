//! Text from outside, as the database can hold it.

/// The text without NUL characters (replaced by U+FFFD), at most `max` characters long.
pub(super) fn storable(text: &str, max: usize) -> String {
    text.chars()
        .map(|c| if c == '\0' { '\u{fffd}' } else { c })
        .take(max)
        .collect()
}

/// Characters of an error that are kept.
pub(super) const MAX_ERROR: usize = 4000;
