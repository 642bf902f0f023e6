//! `[http]`: the address of the API.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use belay_api::RateLimit;
use serde::{Deserialize, Deserializer, de::Error};

use super::{ConfigError, parse_address};

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port (`BELAY_LISTEN`). Port 0 takes any free one, which `<data dir>/address` then names.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Threads that read requests and write answers, 1 to 256.
    pub threads: usize,
    /// Requests per second that one API key may send in the long run, 0 (no limit) to 1000000.
    pub rate_limit: u32,
    /// Requests that it may send at once after a pause; 0: as many as `rate_limit`.
    pub rate_burst: u32,
    /// Whether `/metrics` asks for a key with the scope `metrics`.
    pub metrics_key: bool,
}

/// The port that stands in everybody's notes.
const PORT: u16 = 7117;

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], PORT)),
            threads: 2,
            rate_limit: 0,
            rate_burst: 0,
            metrics_key: false,
        }
    }
}

impl Http {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=256).contains(&self.threads) {
            return Err(ConfigError::member(
                "http.threads",
                format!("{} is out of range; it must be from 1 to 256", self.threads),
            ));
        }
        for (name, value) in [
            ("http.rate_limit", self.rate_limit),
            ("http.rate_burst", self.rate_burst),
        ] {
            if value > 1_000_000 {
                return Err(ConfigError::member(
                    name,
                    format!("{value} is out of range; it must be from 0 to 1000000"),
                ));
            }
        }
        Ok(())
    }

    /// The limit as the API takes it; `None`: no limit.
    pub(crate) fn limit(&self) -> Option<RateLimit> {
        let per_second = NonZeroU32::new(self.rate_limit)?;
        Some(RateLimit {
            per_second,
            burst: NonZeroU32::new(self.rate_burst).unwrap_or(per_second),
        })
    }
}

fn address<'de, D: Deserializer<'de>>(reader: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(reader)?;
    parse_address(&text).map_err(D::Error::custom)
}
