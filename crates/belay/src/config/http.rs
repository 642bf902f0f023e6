//! `[http]`: the address of the API and the dashboard.

use std::net::SocketAddr;

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
            metrics_key: false,
        }
    }
}

impl Http {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if (1..=256).contains(&self.threads) {
            return Ok(());
        }
        Err(ConfigError::member(
            "http.threads",
            format!("{} is out of range; it must be from 1 to 256", self.threads),
        ))
    }
}

fn address<'de, D: Deserializer<'de>>(reader: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(reader)?;
    parse_address(&text).map_err(D::Error::custom)
}
