//! What the host adds to `/readyz`.

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in one word.
    pub name: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What is wrong, for the operator. Anybody who can reach `/readyz` reads it, so no secrets.
    pub detail: Option<String>,
}

impl Check {
    /// A check that passed.
    pub fn ok(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ok: true,
            detail: None,
        }
    }

    /// A check that failed, and why.
    pub fn failed(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ok: false,
            detail: Some(detail.into()),
        }
    }
}

/// What the host knows of its own health, for example whether its worker lives. All checks must pass for `/readyz` to answer
/// 200.
pub trait Health: Send + Sync {
    /// Looks. Called on a thread that may block, once per request to `/readyz`, so it should take well under a second.
    fn checks(&self) -> Vec<Check>;
}
