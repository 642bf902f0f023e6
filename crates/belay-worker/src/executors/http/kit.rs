//! What all attempts of a kind share.

use std::net::IpAddr;
use std::sync::OnceLock;

use reqwest::header::HeaderMap;
use reqwest::{Request, Response, Url};

use super::allow::Refused;
use super::failure::Failure;
use super::settings::{Checked, HttpSettings, SettingsError};
use super::{client, headers};

/// The settings, what they mean, and what was read when the worker started.
#[derive(Debug)]
pub(super) struct Kit {
    pub(super) settings: HttpSettings,
    pub(super) checked: Checked,
    opened: OnceLock<Opened>,
}

/// What is not in the settings themselves.
pub(super) struct Opened {
    client: reqwest::Client,
    pub(super) headers: HeaderMap,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened(..)")
    }
}

impl Kit {
    pub(super) fn new(settings: HttpSettings) -> Result<Self, SettingsError> {
        let checked = settings.check()?;
        Ok(Self {
            settings,
            checked,
            opened: OnceLock::new(),
        })
    }

    /// Reads secrets and certificates, the first time.
    ///
    /// # Errors
    /// What is missing, without showing what is there.
    pub(super) fn open(&self) -> Result<&Opened, String> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let headers = headers::read(&self.settings.headers)
            .map_err(|message| format!("the setting `headers`: {message}"))?;
        let cancel = self.checked.cancel_url.as_ref();
        let https = self.checked.url.is_https() || cancel.is_some_and(|url| url.is_https());
        let client = client::new(&self.settings, &self.checked.allow, https)?;
        // Should two come here at once, what both have read is the same.
        Ok(self.opened.get_or_init(|| Opened { client, headers }))
    }

    /// Whether a request may go to a URL whose host is an address: those are connected to without being looked up.
    pub(super) fn check(&self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default();
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => self.checked.allow.check(None, address),
            Err(_) => Ok(()),
        }
    }

    /// Sends a request and waits for the beginning of the answer.
    pub(super) async fn send(&self, request: Request) -> Result<Response, Failure> {
        let url = request.url().clone();
        self.check(&url)?;
        let opened = self
            .open()
            .map_err(|words| Failure { words, retry: true })?;
        let answer = opened.client.execute(request).await;
        answer.map_err(|error| Failure::new(error, &url, self.settings.connect_timeout))
    }
}
