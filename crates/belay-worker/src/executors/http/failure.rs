//! From a request that found no answer to words.

use std::error::Error;
use std::time::Duration;

use reqwest::Url;

use super::super::Finish;
use super::allow::Refused;

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// In words for the reader of the job.
    pub(super) words: String,
    /// Whether it may be otherwise the next time.
    pub(super) retry: bool,
}

impl From<Failure> for Finish {
    fn from(Failure { words, retry }: Failure) -> Self {
        Self::Failed {
            error: words,
            retry,
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self {
            words: refused.to_string(),
            retry: false,
        }
    }
}

impl Failure {
    pub(super) fn new(error: reqwest::Error, url: &Url, connect_timeout: Duration) -> Self {
        if let Some(refused) = chain(&error).find_map(|cause| cause.downcast_ref::<Refused>()) {
            return refused.clone().into();
        }
        let place = url.origin().ascii_serialization();
        let words = if error.is_timeout() && error.is_connect() {
            format!("no connection to {place} within {connect_timeout:?}")
        } else {
            let what = if error.is_connect() {
                "connect to"
            } else {
                "get an answer from"
            };
            format!("cannot {what} {place}: {}", causes(&error.without_url()))
        };
        Self { words, retry: true }
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// What went wrong below the first, most general words. Some errors say what their cause says.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in chain(error).skip(1) {
        let cause = cause.to_string();
        if let Some(before) = words.last_mut()
            && before.contains(&cause)
        {
            continue;
        }
        if !cause.starts_with("client error") {
            words.push(cause);
        }
    }
    if words.is_empty() {
        return error.to_string();
    }
    words.join(": ")
}
