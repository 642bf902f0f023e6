//! Settings of kinds that send requests: `executor = "http"`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use belay_worker::executors::Executor;
use belay_worker::executors::http::{HeaderSource, HttpExecutor, HttpSettings};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, de};

use super::super::duration;
use super::Refused;

/// Members that only this executor has.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    /// Where the request goes, with placeholders.
    url: String,
    /// Method of the request.
    #[serde(default = "defaults::method")]
    method: String,
    /// Headers added to each request.
    #[serde(default)]
    headers: Headers,
    /// What is called to stop work, with placeholders.
    #[serde(default)]
    cancel_url: Option<String>,
    /// Method of that call.
    #[serde(default = "defaults::cancel_method")]
    cancel_method: String,
    /// How often that call is tried, 1 to 100.
    #[serde(default = "defaults::cancel_tries")]
    cancel_tries: u32,
    /// How long a stop may take with all tries, up to 7 days.
    #[serde(default = "defaults::grace", deserialize_with = "duration::required")]
    grace: Duration,
    /// How long connecting may take, 10 ms to 10 minutes.
    #[serde(
        default = "defaults::connect_timeout",
        deserialize_with = "duration::required"
    )]
    connect_timeout: Duration,
    /// How many bytes of an answer are read and kept, up to 16 MiB.
    #[serde(default = "defaults::response_limit")]
    response_limit: usize,
    /// Addresses, networks and hosts that may be reached although they are private.
    #[serde(default)]
    allow: Vec<String>,
    /// Certificates that are trusted instead of those of the machine, an absolute path.
    #[serde(default)]
    ca_file: Option<PathBuf>,
}

/// The defaults of the executor, so that there is one list of them.
mod defaults {
    use super::{Duration, HttpSettings};

    fn settings() -> HttpSettings {
        HttpSettings::new("")
    }

    pub(super) fn method() -> String {
        settings().method
    }

    pub(super) fn cancel_method() -> String {
        settings().cancel_method
    }

    pub(super) fn cancel_tries() -> u32 {
        settings().cancel_tries
    }

    pub(super) fn grace() -> Duration {
        settings().grace
    }

    pub(super) fn connect_timeout() -> Duration {
        settings().connect_timeout
    }

    pub(super) fn response_limit() -> usize {
        settings().response_limit
    }
}

impl Http {
    pub(super) fn executor(self) -> Result<Arc<dyn Executor>, Refused> {
        let mut settings = HttpSettings::new(self.url);
        settings.method = self.method;
        settings.headers = self.headers.0;
        settings.cancel_url = self.cancel_url;
        settings.cancel_method = self.cancel_method;
        settings.cancel_tries = self.cancel_tries;
        settings.grace = self.grace;
        settings.connect_timeout = self.connect_timeout;
        settings.response_limit = self.response_limit;
        settings.allow = self.allow;
        settings.ca_file = self.ca_file;
        let executor = HttpExecutor::new(settings)
            .map_err(|error| Refused::new(error.setting, error.to_string()))?;
        Ok(Arc::new(executor))
    }
}

/// The table `headers`. Its errors show no value, which may be a secret.
#[derive(Debug, Default, PartialEq)]
struct Headers(BTreeMap<String, HeaderSource>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Table)
    }
}

struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of headers")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Headers, E> {
        Err(E::custom("a text is not a table of headers"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = BTreeMap::new();
        while let Some((name, Header(source))) = map.next_entry::<String, Header>()? {
            headers.insert(name, source);
        }
        Ok(Headers(headers))
    }
}

/// One value: a text, or where it is kept.
struct Header(HeaderSource);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Value)
    }
}

struct Value;

impl<'de> Visitor<'de> for Value {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, { file = \"/a/path\" } or { env = \"A_VARIABLE\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Header, E> {
        Ok(Header(HeaderSource::Text(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let wrong = || A::Error::custom("the value of a header comes from one `file` or one `env`");
        let source = match map.next_key::<String>()?.as_deref() {
            Some("file") => HeaderSource::File(map.next_value()?),
            Some("env") => HeaderSource::Env(map.next_value()?),
            Some(_) | None => return Err(wrong()),
        };
        match map.next_key::<String>()? {
            None => Ok(Header(source)),
            Some(_) => Err(wrong()),
        }
    }
}
