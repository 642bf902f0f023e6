//! The scopes: what an API key may do. This is the only list of them.

use std::fmt;
use std::str::FromStr;

/// What an API key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Native API: see jobs, queues, kinds and workers.
    Read,
    /// Native API: enqueue, cancel, retry, suspend, resume, start and delete the data of jobs.
    Write,
    /// Everything, also what the other scopes allow: cancel by force, keys, tenants.
    Admin,
    /// Worker protocol: claim jobs and report on them.
    Worker,
    /// Read `/metrics`, where that asks for a key.
    Metrics,
    /// Dialect `prospecting`: see jobs.
    ProspectingRead,
    /// Dialect `prospecting`: cancel jobs.
    ProspectingWrite,
    /// Dialect `jobs`: see jobs.
    JobsRead,
    /// Dialect `jobs`: cancel jobs.
    JobsWrite,
    /// Dialect `bulk-actions`: see bulk actions.
    BulkRead,
    /// Dialect `bulk-actions`: cancel bulk actions.
    BulkWrite,
    /// Dialect `vault`: see jobs.
    VaultRead,
    /// Dialect `vault`: cancel jobs.
    VaultWrite,
    /// Dialect `ingest`: make, upload, close and abort ingest jobs.
    Ingest,
}

impl Scope {
    /// All scopes, in the order in which they are listed to people.
    pub const ALL: [Self; 14] = [
        Self::Read,
        Self::Write,
        Self::Admin,
        Self::Worker,
        Self::Metrics,
        Self::ProspectingRead,
        Self::ProspectingWrite,
        Self::JobsRead,
        Self::JobsWrite,
        Self::BulkRead,
        Self::BulkWrite,
        Self::VaultRead,
        Self::VaultWrite,
        Self::Ingest,
    ];

    /// The name by which it is stored and asked for.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Worker => "worker",
            Self::Metrics => "metrics",
            Self::ProspectingRead => "prospecting:read",
            Self::ProspectingWrite => "prospecting:write",
            Self::JobsRead => "jobs:read",
            Self::JobsWrite => "jobs:write",
            Self::BulkRead => "bulk:read",
            Self::BulkWrite => "bulk:write",
            Self::VaultRead => "vault:read",
            Self::VaultWrite => "vault:write",
            Self::Ingest => "ingest",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope {word:?}; the scopes are {}", all_names())]
pub struct UnknownScope {
    /// The word, cut to 40 characters.
    pub word: String,
}

fn all_names() -> String {
    Scope::ALL.map(Scope::as_str).join(", ")
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == word)
            .ok_or_else(|| UnknownScope {
                word: word.chars().take(40).collect(),
            })
    }
}

/// The scopes of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scopes(Vec<Scope>);

impl Scopes {
    /// Reads what is stored. A name that only a newer version knows allows nothing here.
    pub(crate) fn stored(names: &[String]) -> Self {
        Self(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// What these allow of `others`.
    pub(crate) fn at_most(&self, others: &Self) -> Self {
        Self(
            Scope::ALL
                .into_iter()
                .filter(|scope| self.allow(*scope) && others.allow(*scope))
                .collect(),
        )
    }

    /// The scopes that are allowed, one by one.
    pub(crate) fn list(&self) -> Vec<Scope> {
        Scope::ALL
            .into_iter()
            .filter(|scope| self.allow(*scope))
            .collect()
    }

    /// Whether a key with these scopes may do what asks for `scope`.
    pub(crate) fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&Scope::Admin) || self.0.contains(&scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_turn_back_into_scopes_and_stand_once() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        let mut names = Scope::ALL.map(Scope::as_str).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Scope::ALL.len());
    }

    #[test]
    fn what_is_no_scope_is_refused_with_the_list() {
        for word in ["", "READ", "read ", "jobs", "jobs:cancel", "*"] {
            let error = word.parse::<Scope>().unwrap_err().to_string();
            assert!(error.contains("read, write, admin"), "{error}");
        }
    }

    #[test]
    fn admin_allows_everything_and_nothing_else_does() {
        let admin = Scopes::stored(&["admin".into()]);
        assert!(Scope::ALL.into_iter().all(|scope| admin.allow(scope)));
        for scope in Scope::ALL.into_iter().filter(|s| *s != Scope::Admin) {
            let one = Scopes::stored(&[scope.to_string(), "from-the-future".into()]);
            let allowed: Vec<Scope> = Scope::ALL.into_iter().filter(|s| one.allow(*s)).collect();
            assert_eq!(allowed, [scope]);
        }
    }
}
