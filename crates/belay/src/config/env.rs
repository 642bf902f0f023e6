//! The environment, as a value, so that tests can bring their own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::ConfigError;

/// Variables of the environment. An empty variable counts as not set, as container tools cannot remove one.
#[derive(Debug, Clone, Default)]
pub struct Env(BTreeMap<OsString, OsString>);

impl Env {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    pub(crate) fn raw(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// A path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from)
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.raw(name) else {
            return Ok(None);
        };
        match value.to_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(ConfigError::variable(name, "is not valid UTF-8")),
        }
    }

    /// A secret: from the variable itself, or from the file that `<name>_FILE` names, without the line end.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let file_name = format!("{name}_FILE");
        let (direct, file) = (self.text(name)?, self.path(&file_name));
        let Some(path) = file else {
            return Ok(direct);
        };
        if direct.is_some() {
            return Err(ConfigError::variable(
                name,
                format!("both {name} and {file_name} are set; set one of them"),
            ));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| {
            ConfigError::variable(
                &file_name,
                format!("cannot read {}: {error}", path.display()),
            )
        })?;
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            return Err(ConfigError::variable(
                &file_name,
                format!("{} is empty", path.display()),
            ));
        }
        Ok(Some(secret.to_owned()))
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}
