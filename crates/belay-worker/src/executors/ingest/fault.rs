//! Why a load did not come to its end.

use belay_core::ops::Settled;
use diesel::result::Error as Diesel;

use super::csv;

/// Why a load did not come to its end. Whatever it is, nothing of it stays.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was told to stop.
    Stopped,
    /// The uploaded data was deleted, as an abort does before the worker is told.
    DataGone,
    /// The data, or where it should go, is wrong; another attempt would not help.
    Bad(String),
    /// The database did not do what it should.
    Database(belay_core::Error),
    /// The job is not what it was when it ended.
    NotSettled(Settled),
}

/// Whether somebody else's locks were in the way. Nothing is wrong with the load then, and it did not fail.
pub(super) fn is_held_up(error: &belay_core::Error) -> bool {
    const IN_THE_WAY: [&str; 3] = ["lock timeout", "deadlock detected", "could not serialize"];
    matches!(error, belay_core::Error::Busy(why) if IN_THE_WAY.iter().any(|part| why.contains(part)))
}

impl From<belay_core::Error> for Fault {
    fn from(error: belay_core::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Diesel> for Fault {
    fn from(error: Diesel) -> Self {
        Self::Database(error.into())
    }
}

impl From<csv::Fault> for Fault {
    /// The file is not known here: [`Fault::in_file`] adds it.
    fn from(fault: csv::Fault) -> Self {
        Self::Bad(format!("line {}: {}", fault.line, fault.message))
    }
}

impl Fault {
    pub(super) fn in_line(line: u64, message: impl std::fmt::Display) -> Self {
        Self::Bad(format!("line {line}: {message}"))
    }

    /// Adds the number of the file to what is wrong in one of its lines.
    pub(super) fn in_file(self, ordinal: i16) -> Self {
        match self {
            Self::Bad(message) => Self::Bad(format!("file {ordinal}, {message}")),
            other => other,
        }
    }
}

/// What a statement that worked on some rows says of them: `Ok` with its words when they are wrong, `Err` when something else is,
/// which may be better next time.
pub(super) fn words_about_data(error: Diesel) -> Result<String, Fault> {
    /// Nothing of the data is wrong when the machine, or somebody else, is in the way.
    const ELSEWHERE: [&str; 6] = [
        "canceling statement",
        "No space left on device",
        "could not extend file",
        "out of memory",
        "out of shared memory",
        "remaining connection slots",
    ];
    let Diesel::DatabaseError(_, info) = &error else {
        return Err(error.into());
    };
    let message = info.message().to_owned();
    if ELSEWHERE.iter().any(|part| message.contains(part)) {
        return Err(Fault::Database(belay_core::Error::Busy(message)));
    }
    let error = belay_core::Error::from(error);
    if error.is_transient() {
        return Err(error.into());
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::is_held_up;
    use belay_core::Error;

    #[test]
    fn what_others_hold_is_no_failure() {
        for why in [
            "canceling statement due to lock timeout",
            "deadlock detected",
            "could not serialize access due to concurrent update",
        ] {
            assert!(is_held_up(&Error::Busy(why.into())), "{why}");
        }
        for other in [
            Error::Busy("could not extend file: No space left on device".into()),
            Error::Unreachable("lock timeout".into()),
        ] {
            assert!(!is_held_up(&other), "{other}");
        }
    }
}
