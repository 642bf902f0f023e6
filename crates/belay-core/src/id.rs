//! One job, one number, three spellings. The UUID and the 24 hexadecimal digits are computed from the creation time and
//! the number, never stored, and can be turned back: a spelling whose time does not match the row is an unknown job.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The UUID spelling: 48 bits of Unix milliseconds, version 8, zeros, variant, 62 bits of number. Lower case.
#[must_use]
pub fn uid(id: i64, created_at: DateTime<Utc>) -> Uuid {
    let millis = (created_at.timestamp_millis() as u64) & 0xffff_ffff_ffff;
    Uuid::from_u64_pair((millis << 16) | 0x8000, id as u64 | 1 << 63)
}

/// The 24-digit spelling: 32 bits of Unix seconds and 64 bits of number, lower-case hexadecimal.
#[must_use]
pub fn key(id: i64, created_at: DateTime<Utc>) -> String {
    format!("{:08x}{:016x}", created_at.timestamp() as u32, id)
}

/// A job as somebody named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobRef {
    /// The number, from 1.
    pub id: i64,
    spelling: Spelling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Number,
    Uid { millis: i64 },
    Key { seconds: i64 },
}

impl JobRef {
    /// Names a job by its number.
    #[must_use]
    pub const fn number(id: i64) -> Self {
        Self {
            id,
            spelling: Spelling::Number,
        }
    }

    /// Whether this spelling belongs to a job created at that time. A number always does.
    #[must_use]
    pub fn matches(&self, created_at: DateTime<Utc>) -> bool {
        match self.spelling {
            Spelling::Number => true,
            Spelling::Uid { millis } => created_at.timestamp_millis() & 0xffff_ffff_ffff == millis,
            Spelling::Key { seconds } => created_at.timestamp() & 0xffff_ffff == seconds,
        }
    }

    /// Whether it was named by its UUID.
    #[must_use]
    pub fn is_uid(&self) -> bool {
        matches!(self.spelling, Spelling::Uid { .. })
    }

    /// Whether it was named by its 24 hexadecimal digits.
    #[must_use]
    pub fn is_key(&self) -> bool {
        matches!(self.spelling, Spelling::Key { .. })
    }

    /// Whether the number alone decides.
    #[must_use]
    pub fn is_number(&self) -> bool {
        self.spelling == Spelling::Number
    }
}

impl fmt::Display for JobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)
    }
}

/// A text that is no spelling of a job's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a job id: use its number (from 1), its UUID, or its 24 lower-case hexadecimal digits"
)]
pub struct NotAnId(pub String);

impl FromStr for JobRef {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| NotAnId(text.chars().take(60).collect()))
    }
}

fn parse(text: &str) -> Option<JobRef> {
    let positive = |id: i64| (id > 0).then_some(id);
    if !text.is_ascii() {
        return None;
    }
    match text.len() {
        1..=19 if text.bytes().all(|b| b.is_ascii_digit()) => {
            Some(JobRef::number(positive(text.parse().ok()?)?))
        }
        24 if text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
            let (time, number) = text.split_at(8);
            let seconds = i64::from_str_radix(time, 16).ok()?;
            let id = positive(i64::from_str_radix(number, 16).ok()?)?;
            Some(JobRef {
                id,
                spelling: Spelling::Key { seconds },
            })
        }
        36 => {
            let (high, low) = Uuid::try_parse(text).ok()?.as_u64_pair();
            if high & 0xffff != 0x8000 || low >> 62 != 0b10 {
                return None;
            }
            let id = positive((low & !(1 << 63)) as i64)?;
            Some(JobRef {
                id,
                spelling: Spelling::Uid {
                    millis: (high >> 16) as i64,
                },
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_579_056, 262_076_000).unwrap()
    }

    #[test]
    fn each_spelling_turns_back_into_the_number() {
        for id in [1, 77, i64::from(u32::MAX), (1 << 62) - 1] {
            for text in [id.to_string(), uid(id, at()).to_string(), key(id, at())] {
                let parsed: JobRef = text.parse().unwrap();
                assert_eq!(parsed.id, id, "{text}");
                assert!(parsed.matches(at()), "{text}");
                let later = at() + chrono::TimeDelta::seconds(1);
                assert_eq!(parsed.matches(later), parsed.is_number(), "{text}");
            }
        }
    }

    #[test]
    fn uuids_are_taken_in_either_case_and_keys_only_in_lower_case() {
        assert!(
            uid(9, at())
                .to_string()
                .to_uppercase()
                .parse::<JobRef>()
                .is_ok()
        );
        assert!("6B065CB00000000000000009".parse::<JobRef>().is_err());
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "1.0",
            "abc",
            "9223372036854775808",
            "00000000000000000000",
            " 1",
            "1 ",
            "6b065cb00000000000000000",
            "6b065cb0ffffffffffffffff",
            "00000000-0000-0000-0000-000000000000",
            "01a210da-1086-7000-8000-000000000001",
            "ééééééééééé1",
        ] {
            assert!(text.parse::<JobRef>().is_err(), "{text}");
        }
    }
}
