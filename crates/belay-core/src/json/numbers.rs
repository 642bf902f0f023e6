//! Numbers that are short as they are written and long as they are stored.
//!
//! The database keeps numbers exactly and shows them without an exponent: `1e-16000` comes back as 16 KiB, and a payload of such
//! numbers as gigabytes that no worker can read any more.

use super::MAX_PAYLOAD;

/// How much longer a text may become when its numbers are written out, in bytes.
const MOST_GROWTH: i64 = MAX_PAYLOAD as i64;

/// Most digits of one number after its point, written out. The database's numbers end a little further down; those that are
/// too large are no numbers to the parser already.
const MOST_FRACTION: i64 = 16_000;

/// Checks the numbers of a text that was found to be well-formed JSON.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut growth = 0_i64;
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => after_string(after),
            b'-' | b'0'..=b'9' => {
                let length = rest.iter().take_while(|b| is_number(**b)).count();
                let (number, after) = rest.split_at(length);
                let number = Number::of(number);
                if number.after_point() > MOST_FRACTION {
                    return Err(format!(
                        "a number has {} digits after its point, more than the {MOST_FRACTION} allowed",
                        number.after_point()
                    ));
                }
                growth = growth.saturating_add(number.growth());
                after
            }
            _ => after,
        };
    }
    if growth > MOST_GROWTH {
        return Err(format!(
            "its numbers, written out without exponents as they are stored, take more than {MOST_GROWTH} bytes more"
        ));
    }
    Ok(())
}

const fn is_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// What follows a string whose opening quote was taken.
fn after_string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [b'\\', _, after @ ..] => after,
            [b'"', after @ ..] => return after,
            [_, after @ ..] => after,
            [] => return rest,
        };
    }
}

/// The lengths that matter of a number as it is written.
struct Number {
    length: i64,
    before_point: i64,
    fraction: i64,
    exponent: i64,
}

impl Number {
    fn of(text: &[u8]) -> Self {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            // An exponent that does not even fit is as bad as the largest.
            Some((mantissa, exponent)) => (
                mantissa,
                exponent.parse().unwrap_or(if exponent.starts_with('-') {
                    i64::from(i32::MIN)
                } else {
                    i64::from(i32::MAX)
                }),
            ),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        Self {
            length: text.len() as i64,
            before_point: whole.trim_start_matches('-').len() as i64,
            fraction: fraction.len() as i64,
            exponent,
        }
    }

    /// Digits after the point when it is written out.
    fn after_point(&self) -> i64 {
        self.fraction.saturating_sub(self.exponent).max(0)
    }

    /// How much longer it is when it is written out.
    fn growth(&self) -> i64 {
        let before = self.before_point.saturating_add(self.exponent).max(1);
        before
            .saturating_add(self.after_point())
            .saturating_sub(self.length)
            .max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_numbers_pass() {
        let large = "9".repeat(100_000);
        for text in [
            "0",
            "[-1.5e3, 1E+300, 1e-300, 1e-16000, 1.00e-15000]",
            r#"{"1e-9999999": "1e-9999999 \" 1e-9999999 \\"}"#,
            "true",
            &large,
        ] {
            assert_eq!(check(text), Ok(()), "{}", &text[..text.len().min(60)]);
        }
    }

    #[test]
    fn what_would_grow_beyond_reading_is_refused() {
        let few = format!("[{}0]", "1e-16000,".repeat(60));
        assert_eq!(check(&few), Ok(()));
        for number in ["1e-16000,", "-1.5E308,"] {
            let many = format!("[{}0]", number.repeat(100_000));
            assert!(
                check(&many).unwrap_err().contains("written out"),
                "{number}"
            );
        }
    }

    #[test]
    fn what_the_database_cannot_hold_is_refused() {
        for number in ["1e-16001", "-1.5e-9999999999999999999999"] {
            assert!(
                check(number).unwrap_err().contains("after its point"),
                "{number}"
            );
        }
    }
}
