//! The operations: **the only place that takes row locks on jobs or writes their state.** One operation per file, free
//! functions over a connection, so that callers choose the transaction. The rules they share:
//!
//! - Lock first, in ascending id order, and act in a **second** statement on the locked rows, by `ctid` or under the lock.
//!   One statement that locks and tests the state would test the old snapshot, and lose cancels.
//! - Every report of a worker carries (job, fence, worker). One that does not fit changes nothing and is answered as stale.
//! - A report that meets a `cancelling` job ends it as `cancelled`, whatever its words.
//! - Whatever is not an ordinary transition (created, claimed, completed) writes one row of `job_event` in the same
//!   transaction.
//!
//! `enqueue`, `cancel` and `retry` call functions of the database, because programs call the same functions inside their
//! own transactions; see `migrations/`.

mod actor;
mod attributes;
mod bulk;
mod cancel;
mod cancel_filter;
mod claim;
mod close;
mod complete;
mod delete_data;
mod enqueue;
mod expire;
mod external;
mod force_cancel;
mod hold;
mod lock;
mod outcome;
mod output;
mod promote;
mod registry;
pub mod remote;
mod report;
mod rescue;
mod retention;
mod retry;
mod schedule;
mod session;
mod settle;
mod sql_effect;
mod start_now;
mod suspend;
mod sweep;
mod tenant;
mod text;
mod upload;
mod vacuum;
mod worker;

pub use actor::{Actor, MAX_REASON, Via, check_reason};
pub use attributes::keep_attributes;
pub use bulk::{
    BulkAttempt, BulkFilter, BulkKind, BulkStep, BulkTerms, BulkWalk, Standing, begin_bulk,
    bulk_step, keep_bulk_action, note_bulk_total,
};
pub use cancel::{CancelAnswer, CancelLimit, MAX_CANCEL, Outcome, cancel_many, cancel_one};
pub use cancel_filter::{CancelFilter, Chunk, cancel_chunk, last_job_id};
pub use claim::{CLAIM_SQL, Claimed, Line, LineFloor, claim, last_ticket, lines, lines_with_work};
pub use close::close;
pub use complete::{COMPLETE_SQL, complete, unresolved};
pub use delete_data::delete_data;
pub use enqueue::{DEFAULT_TENANT, Enqueued, MAX_ENQUEUE, NewJob, enqueue, enqueue_many};
pub use expire::{expire_ingest, old_ingest};
pub use external::{EXTERNAL_LEASE, finish_external, start_external};
pub use force_cancel::{Forced, force_cancel};
pub use hold::hold;
pub use output::{OutputRow, ProgressRow, save_output, save_progress};
pub use promote::promote;
pub use registry::{KindSpec, note_lines, register_kinds};
pub use report::{FinishedAnyway, Report, Rung, Settled, Verdict};
pub use rescue::{POISON_AFTER, Rescued, forget_dead, mark_dead, rescue};
pub use retention::{
    DroppedPartition, drop_partitions, ensure_partitions, forget_idempotency_keys,
};
pub use retry::retry;
pub use schedule::schedule;
pub use session::{NewSession, end_session, forget_sessions, open_session, touch_session};
pub use settle::settle;
pub use sql_effect::{AttemptStanding, mark_database, sql_outcome, sql_standing, sql_token};
pub use start_now::start_now;
pub use suspend::{resume, suspend};
pub use sweep::{SweepMark, SweepRange, sweep, sweep_mark};
pub(crate) use tenant::hash_key;
pub use tenant::{NewKey, create_key, create_tenant, revoke_key};
pub use upload::{
    Begun, MAX_FILES, Uploaded, allow_minutes, append_chunk, begin_upload, delete_uploads,
    discard_upload, finish_upload, forget_uploads,
};
pub use vacuum::vacuum_if_needed;
pub use worker::{
    Beat, NewWorker, Signal, SignalState, beat, duty_due, lost, register, signals, sleep, stop,
    wake,
};
