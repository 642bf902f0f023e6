//! `backoff` and its companions: how long a failed attempt of a kind waits for the next.

use std::time::Duration;

use belay_core::Backoff;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::super::duration;

/// What `backoff` says: one duration, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waits {
    /// The first wait; the policy says how the others follow from it.
    First(Duration),
    /// All waits, one after the other; the last one stays.
    List(Vec<Duration>),
}

/// How waits follow from the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Each is twice the one before, up to `backoff_max`.
    #[default]
    Exponential,
    /// All are the same.
    Fixed,
}

impl Default for Waits {
    fn default() -> Self {
        Self::First(defaults().0)
    }
}

/// First wait and longest wait of the default backoff.
pub(super) fn defaults() -> (Duration, Duration) {
    match Backoff::default() {
        Backoff::Exponential { base, cap, .. } => (base, cap),
        Backoff::Fixed { wait } => (wait, wait),
        Backoff::List { .. } => (Duration::ZERO, Duration::ZERO),
    }
}

impl Waits {
    pub(super) fn backoff(&self, policy: Policy, cap: Duration, jitter: bool) -> Backoff {
        match (self, policy) {
            (Self::List(waits), _) => Backoff::List {
                waits: waits.clone(),
            },
            (Self::First(wait), Policy::Fixed) => Backoff::fixed(*wait),
            (Self::First(base), Policy::Exponential) => Backoff::Exponential {
                base: *base,
                cap,
                jitter,
            },
        }
    }
}

impl<'de> Deserialize<'de> for Waits {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = Waits;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "a duration in quotes with its unit, for example \"10s\", or a list of such durations",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Waits, E> {
        duration::parse(text).map(Waits::First).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Waits, A::Error> {
        let mut waits = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            waits.push(duration::parse(&text).map_err(A::Error::custom)?);
        }
        Ok(Waits::List(waits))
    }
}
