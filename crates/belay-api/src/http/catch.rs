//! Panics in handlers become answers. Left alone they would drop the connection without one.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::{Answer, Fault};

/// Awaits a handler; a panic in it is an internal fault.
pub(super) async fn caught(handler: impl Future<Output = Answer>) -> Answer {
    let mut handler = pin!(handler);
    std::future::poll_fn(|context| {
        // A future that panicked is never polled again: this one ends with it.
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(panic) => Poll::Ready(Err(Fault::panicked(&*panic))),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Kind;

    #[actix_web::test]
    async fn a_panic_is_an_internal_fault_with_its_words_in_the_log_only() {
        let fault = caught(async {
            tokio::task::yield_now().await;
            panic!("secret {}", 7)
        })
        .await
        .unwrap_err();
        assert_eq!(fault.kind, Kind::Internal);
        assert_eq!(fault.about.cause.unwrap(), "a handler panicked: secret 7");
        assert!(!fault.detail.contains("secret"));
    }
}
