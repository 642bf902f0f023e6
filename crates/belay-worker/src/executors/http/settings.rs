//! What an operator sets for a kind of job that sends requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::allow::Allow;
use super::headers::{self, HeaderSource};
use super::lookup::{Lookup, SystemLookup};
use super::template::Template;

/// Settings of one kind. [`HttpSettings::new`] fills in the defaults. Showing them with `{:?}` shows no value of a header.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Method of the request: `GET`, `POST`, `PUT`, `PATCH` or `DELETE`; `POST` by default. `GET` and `DELETE` carry no body.
    pub method: String,
    /// Where the request goes, with placeholders in path and query; see the module.
    pub url: String,
    /// Headers added to the request and to the cancel request.
    pub headers: BTreeMap<String, HeaderSource>,
    /// What is called to stop work that was handed over, with placeholders as in `url`.
    pub cancel_url: Option<String>,
    /// Method of that call, as above; `POST` by default. It never carries a body.
    pub cancel_method: String,
    /// How often that call is tried until it is confirmed, 1 to 100; 5 by default.
    pub cancel_tries: u32,
    /// How long a stop may take with all these tries, up to 7 days; 10 s by default.
    pub grace: Duration,
    /// How long looking up the host, connecting and the TLS handshake may take together, 10 ms to 10 minutes; 10 s by
    /// default. How long the whole attempt may take is the timeout of the job.
    pub connect_timeout: Duration,
    /// How many bytes of an answer are read and kept, 0 to 16 MiB; 64 KiB by default. The connection of a longer one is dropped.
    pub response_limit: usize,
    /// Addresses, networks and names of hosts that may be reached although they are private.
    pub allow: Vec<String>,
    /// PEM file of the certificates that are trusted, instead of those that the machine trusts. Read when the worker starts.
    pub ca_file: Option<PathBuf>,
    /// How names of hosts become addresses; by default as the system does it.
    pub lookup: Arc<dyn Lookup>,
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{setting}` {message}")]
pub struct SettingsError {
    /// Its name.
    pub setting: &'static str,
    /// What is wrong, as the rest of a sentence.
    pub message: String,
}

/// What the texts of the settings mean.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) url: Template,
    pub(super) method: reqwest::Method,
    pub(super) cancel_url: Option<Template>,
    pub(super) cancel_method: reqwest::Method,
    pub(super) allow: Allow,
}

impl HttpSettings {
    /// Longest accepted grace period.
    pub const MAX_GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    /// Shortest and longest accepted time to connect.
    pub const CONNECT_TIMEOUTS: (Duration, Duration) =
        (Duration::from_millis(10), Duration::from_secs(600));
    /// Largest accepted limit of answers, in bytes.
    pub const MAX_RESPONSE_LIMIT: usize = 16 * 1024 * 1024;
    /// Most tries of a cancel request.
    pub const MAX_CANCEL_TRIES: u32 = 100;

    /// Settings that send requests to `url`, with the defaults for everything else.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            method: "POST".into(),
            url: url.into(),
            headers: BTreeMap::new(),
            cancel_url: None,
            cancel_method: "POST".into(),
            cancel_tries: 5,
            grace: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            response_limit: 64 * 1024,
            allow: Vec::new(),
            ca_file: None,
            lookup: Arc::new(SystemLookup),
        }
    }

    pub(super) fn check(&self) -> Result<Checked, SettingsError> {
        let refuse = |setting| move |message| SettingsError { setting, message };
        headers::check(&self.headers).map_err(refuse("headers"))?;
        self.check_ranges()?;
        Ok(Checked {
            url: Template::new(&self.url).map_err(refuse("url"))?,
            method: method(&self.method).map_err(refuse("method"))?,
            cancel_url: self
                .cancel_url
                .as_deref()
                .map(Template::new)
                .transpose()
                .map_err(refuse("cancel_url"))?,
            cancel_method: method(&self.cancel_method).map_err(refuse("cancel_method"))?,
            allow: Allow::new(&self.allow).map_err(refuse("allow"))?,
        })
    }

    fn check_ranges(&self) -> Result<(), SettingsError> {
        let refuse = |setting, message| Err(SettingsError { setting, message });
        if !(1..=Self::MAX_CANCEL_TRIES).contains(&self.cancel_tries) {
            let max = Self::MAX_CANCEL_TRIES;
            return refuse(
                "cancel_tries",
                format!("is {}; it must be from 1 to {max}", self.cancel_tries),
            );
        }
        if self.grace > Self::MAX_GRACE {
            return refuse(
                "grace",
                format!("is {:?}; at most 7 days are allowed", self.grace),
            );
        }
        let (least, most) = Self::CONNECT_TIMEOUTS;
        if !(least..=most).contains(&self.connect_timeout) {
            return refuse(
                "connect_timeout",
                format!(
                    "is {:?}; it must be from {least:?} to {most:?}",
                    self.connect_timeout
                ),
            );
        }
        if self.response_limit > Self::MAX_RESPONSE_LIMIT {
            return refuse(
                "response_limit",
                format!(
                    "is {} bytes; at most 16 MiB ({}) are allowed",
                    self.response_limit,
                    Self::MAX_RESPONSE_LIMIT
                ),
            );
        }
        match &self.ca_file {
            Some(path) if !path.is_absolute() => refuse(
                "ca_file",
                format!("is {}; it must be an absolute path", path.display()),
            ),
            _ => Ok(()),
        }
    }
}

fn method(text: &str) -> Result<reqwest::Method, String> {
    use reqwest::Method;
    [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ]
    .into_iter()
    .find(|method| method.as_str() == text)
    .ok_or_else(|| format!("is {text:?}; it must be GET, POST, PUT, PATCH or DELETE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut HttpSettings)) -> &'static str {
        let mut settings = HttpSettings::new("https://h.example/{id}");
        change(&mut settings);
        settings.check().unwrap_err().setting
    }

    #[test]
    fn what_can_never_work_is_refused_by_name() {
        HttpSettings::new("https://h.example/{id}").check().unwrap();
        assert_eq!(refused(|s| s.url.clear()), "url");
        for method in ["", "post", "CONNECT", "TRACE", "HEAD", "GET\r\n"] {
            assert_eq!(refused(|s| s.method = method.into()), "method");
            assert_eq!(
                refused(|s| s.cancel_method = method.into()),
                "cancel_method"
            );
        }
        assert_eq!(
            refused(|s| s.cancel_url = Some("/cancel".into())),
            "cancel_url"
        );
        assert_eq!(refused(|s| s.cancel_tries = 0), "cancel_tries");
        assert_eq!(refused(|s| s.cancel_tries = 101), "cancel_tries");
        assert_eq!(refused(|s| s.grace = Duration::MAX), "grace");
        assert_eq!(
            refused(|s| s.connect_timeout = Duration::ZERO),
            "connect_timeout"
        );
        assert_eq!(refused(|s| s.response_limit = usize::MAX), "response_limit");
        assert_eq!(refused(|s| s.allow.push("127.1".into())), "allow");
        assert_eq!(refused(|s| s.ca_file = Some("ca.pem".into())), "ca_file");
        let host = ("Host".to_owned(), HeaderSource::Text("h".into()));
        assert_eq!(refused(|s| s.headers.extend([host])), "headers");
    }

    #[test]
    fn no_value_of_a_header_is_shown() {
        let mut settings = HttpSettings::new("https://h.example/");
        let source = HeaderSource::Text("secret".into());
        settings.headers.insert("Authorization".into(), source);
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("Authorization") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
