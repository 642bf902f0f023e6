//! Why a statement did not come to its end, and whether another attempt may help.

use std::time::Duration;

use super::libpq::{Param, PgError};
use crate::executors::Finish;

/// When a job is tried again for which Belay's database had no time.
const SOON: Duration = Duration::from_secs(1);

/// Why an attempt did not come to its end. Whatever it is, nothing of the statement stays.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was told to stop before its statement began.
    Stopped,
    /// Another attempt would come to the same.
    Bad(String),
    /// The database did not do what it should.
    Database(PgError),
    /// Belay's own database did not.
    Daemon(belay_core::Error),
    /// There was no connection.
    NoConnection(String),
    /// The job is not this attempt's any more.
    NotOurs,
    /// The connection was lost while the server was asked to commit, in another database than Belay's.
    Unknown,
}

impl From<PgError> for Fault {
    fn from(error: PgError) -> Self {
        Self::Database(error)
    }
}

impl From<belay_core::Error> for Fault {
    fn from(error: belay_core::Error) -> Self {
        Self::Daemon(error)
    }
}

impl Fault {
    /// Whether cancelling the statement, or ending its session, looks like this.
    pub(super) fn is_interruption(&self) -> bool {
        match self {
            Self::Stopped => true,
            Self::Database(error) => match &error.sqlstate {
                Some(code) => code == "57014" || code == "57P01",
                None => !error.alive,
            },
            _ => false,
        }
    }

    /// How the attempt ends that nobody has stopped.
    pub(super) fn finish(self) -> Finish {
        let (error, retry) = match self {
            Self::Stopped => ("it was stopped before its statement began".into(), true),
            Self::Bad(message) => (message, false),
            Self::Database(error) => {
                let retry = error.sqlstate.as_deref().is_none_or(may_pass);
                (words(&error), retry)
            }
            // Too many at once, here or there. Nothing is wrong with the job, and nothing of it stays.
            Self::Daemon(belay_core::Error::Busy(_)) => return Finish::Snoozed { delay: SOON },
            Self::Daemon(error) => (error.to_string(), true),
            Self::NoConnection(why) => (
                format!("there is no connection to the database of this kind: {why}"),
                true,
            ),
            Self::NotOurs => (
                "the job was not this attempt's any more when its statement was over; all was rolled back".into(),
                true,
            ),
            Self::Unknown => (
                "the connection was lost while the server committed, so it is not known whether the statement took effect".into(),
                true,
            ),
        };
        Finish::Failed { error, retry }
    }
}

/// Whether the same statement with the same values may succeed later: what the connection, other transactions, the machine or its
/// operators are the cause of. What the statement and its values are the cause of does not pass.
fn may_pass(sqlstate: &str) -> bool {
    /// Connection, rollback of the transaction, lack of resources, intervention of an operator, system.
    const CLASSES: [&str; 5] = ["08", "40", "53", "57", "58"];
    /// A standby, two timeouts of sessions, an object in use, a lock that was not had.
    const CODES: [&str; 5] = ["25006", "25P03", "25P04", "55006", "55P03"];
    CODES.contains(&sqlstate) || CLASSES.iter().any(|class| sqlstate.starts_with(class))
}

fn words(error: &PgError) -> String {
    let mut text = match &error.sqlstate {
        Some(code) => format!("SQLSTATE {code}: {}", error.message),
        None => format!("the connection to the database was lost: {}", error.message),
    };
    if let Some(hint) = &error.hint {
        text.push_str(". ");
        text.push_str(hint);
    }
    text
}

/// Takes the values of the parameters out of what the server says: `invalid input syntax for type bigint: "$1"`.
pub(super) fn conceal(mut error: PgError, params: &[Param]) -> PgError {
    for (index, param) in params.iter().enumerate() {
        let value = param.text.as_ref().and_then(|text| text.to_str().ok());
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            continue;
        };
        let name = format!("${}", index + 1);
        error.message = without(&error.message, value, &name);
        error.hint = error.hint.map(|hint| without(&hint, value, &name));
    }
    error
}

fn without(text: &str, value: &str, name: &str) -> String {
    /// Shorter ones could be part of any word.
    const LONG: usize = 4;
    let text = text.replace(&format!("\"{value}\""), &format!("\"{name}\""));
    if value.len() < LONG {
        text
    } else {
        text.replace(value, name)
    }
}

/// Why connecting failed, without where to: libpq says both, for each host it tried.
pub(super) fn connecting(words: &str) -> String {
    let why = words.lines().find_map(|line| {
        let (_, why) = line.split_once(" failed: ")?;
        Some(why.trim_start_matches("FATAL:").trim())
    });
    match why {
        Some(why) => why.to_owned(),
        None if words.contains("could not translate host name") => {
            "the name of its host is not known".into()
        }
        None if words.contains("timeout expired") => "it does not answer in time".into(),
        None => "libpq could not connect".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;
    use crate::executors::sql::libpq::TEXT;

    fn error(code: &str, message: &str) -> PgError {
        PgError {
            sqlstate: Some(code.into()),
            message: message.into(),
            hint: None,
            alive: true,
        }
    }

    #[test]
    fn what_others_cause_is_tried_again() {
        for (code, retry) in [
            ("40001", true),
            ("40P01", true),
            ("55P03", true),
            ("57014", true),
            ("57P01", true),
            ("57P03", true),
            ("08006", true),
            ("53100", true),
            ("53300", true),
            ("58030", true),
            ("25006", true),
            ("22P02", false),
            ("23505", false),
            ("23503", false),
            ("42501", false),
            ("42601", false),
            ("42P01", false),
            ("2D000", false),
            ("0A000", false),
            ("P0001", false),
            ("XX000", false),
        ] {
            let finish = Fault::Database(error(code, "why")).finish();
            let error = format!("SQLSTATE {code}: why");
            assert_eq!(finish, Finish::Failed { error, retry }, "{code}");
        }
    }

    #[test]
    fn a_busy_daemon_costs_no_attempt() {
        let busy = Fault::Daemon(belay_core::Error::Busy("all connections are in use".into()));
        assert_eq!(busy.finish(), Finish::Snoozed { delay: SOON });
    }

    #[test]
    fn values_are_not_repeated() {
        let param = |text: &str| Param {
            oid: TEXT,
            text: Some(CString::new(text).unwrap()),
        };
        let said = error(
            "22P02",
            "invalid input syntax for type bigint: \"x1\", and secret-value",
        );
        let concealed = conceal(said, &[param("x1"), param("secret-value"), param("a")]);
        assert_eq!(
            concealed.message,
            "invalid input syntax for type bigint: \"$1\", and $2"
        );
    }

    #[test]
    fn the_place_is_left_out_of_why_connecting_failed() {
        for (words, why) in [
            (
                "connection to server at \"db.example\" (10.0.0.1), port 5432 failed: FATAL:  password authentication failed for user \"app\"\n",
                "password authentication failed for user \"app\"",
            ),
            (
                "connection to server on socket \"/s/.s.PGSQL.5432\" failed: No such file or directory\n\tIs the server running?",
                "No such file or directory",
            ),
            (
                "could not translate host name \"db.example\" to address: Name or service not known",
                "the name of its host is not known",
            ),
            ("something about db.example", "libpq could not connect"),
        ] {
            assert_eq!(connecting(words), why);
        }
    }
}
