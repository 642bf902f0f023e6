//! Why a worker could not be started.

use thiserror::Error;

/// Why a worker could not be started. Nothing is left running.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// A setting is not allowed.
    #[error("{message}")]
    Invalid {
        /// The setting, as [`crate::WorkerConfig`] spells it.
        setting: &'static str,
        /// What is wrong, with the value.
        message: String,
    },
    /// The database refused the kinds or the registration, or cannot be reached.
    #[error("the worker could not register itself: {0}")]
    Database(#[from] belay_core::Error),
    /// The system gave no thread or no runtime.
    #[error("the system refused to start a thread of the worker: {0}")]
    Thread(#[from] std::io::Error),
}

impl WorkerError {
    pub(crate) fn invalid(setting: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            setting,
            message: message.into(),
        }
    }
}
