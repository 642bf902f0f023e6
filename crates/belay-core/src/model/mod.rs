//! What is read from the tables, one file per thing. Plain data: nothing here changes anything.

mod api_key;
mod bulk;
mod event;
mod ingest;
mod job;
mod output;
mod overview;
mod session;
mod stop;
mod upload;

pub use api_key::ApiKey;
pub use bulk::BulkView;
pub use event::EventRow;
pub use ingest::IngestJob;
pub use job::{CancelMark, Job};
pub use output::{OutputView, ProgressView};
pub(crate) use overview::EXTERNAL;
pub use overview::{KindRow, QueueRow, TenantRow, WorkerRow};
pub use session::SessionRow;
pub use stop::Stop;
pub use upload::UploadedFile;
