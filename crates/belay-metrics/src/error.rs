//! What can go wrong.

/// Why metrics could not be made or shown. Both are defects of this crate, not of its user.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A collector was refused, for example because its name stands twice.
    #[error("metrics cannot be set up: {0}")]
    Setup(#[source] prometheus::Error),
    /// The text could not be written.
    #[error("metrics cannot be written: {0}")]
    Render(#[source] prometheus::Error),
}
