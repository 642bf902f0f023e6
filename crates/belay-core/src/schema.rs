// @generated automatically by Diesel CLI.

pub mod belay {
    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// API keys, stored as SHA-256 of the whole key. A null list of tenants means all tenants.
        belay.api_key (id) {
            id -> Int4,
            name -> Text,
            hash -> Bytea,
            scopes -> Array<Nullable<Text>>,
            tenants -> Nullable<Array<Nullable<Int4>>>,
            created_at -> Timestamptz,
            created_by -> Text,
            expires_at -> Nullable<Timestamptz>,
            revoked_at -> Nullable<Timestamptz>,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Bulk actions: what was asked for beside the payload, and where the walk of cancel_jobs and retry_jobs stands. Written under the lock of the job's own row. Content: it goes when the data of the job is deleted.
        belay.bulk_action (job) {
            job -> Int8,
            action_duration -> Int8,
            action_reason -> Nullable<Text>,
            /// Most jobs that are acted on; 0 for no limit.
            max_limit -> Int8,
            preview_count -> Int8,
            affected_count -> Int8,
            /// Ids up to this one are behind the walk.
            walk_id -> Int8,
            /// Where the walk ends, fixed at its first start; null before.
            last_id -> Nullable<Int8>,
            begun_at -> Nullable<Timestamptz>,
            /// Jobs acted on or skipped.
            done_count -> Int8,
            /// Jobs that matched at the first start; null when that is not known.
            total -> Nullable<Int8>,
            updated_at -> Timestamptz,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// When a background duty last ran on any node, so that nodes share the work. Only a saving: every duty is safe to run twice.
        belay.duty (name) {
            name -> Text,
            ran_at -> Timestamptz,
            worker -> Int8,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Requests that must not take effect twice, kept for 24 hours.
        belay.idempotency (tenant, key) {
            tenant -> Int4,
            key -> Text,
            fingerprint -> Bytea,
            job -> Int8,
            created_at -> Timestamptz,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Unfinished jobs, one row each. No index may name state, worker, attempt, fence, started_at or claimed_at: that keeps the claim a HOT update.
        belay.job (id) {
            id -> Int8,
            /// Place in the line, null while open or scheduled. Kept while the job is held.
            ticket -> Nullable<Int8>,
            worker -> Nullable<Int8>,
            run_at -> Timestamptz,
            created_at -> Timestamptz,
            /// First claim; never cleared.
            started_at -> Nullable<Timestamptz>,
            /// Latest claim.
            claimed_at -> Nullable<Timestamptz>,
            suspended_at -> Nullable<Timestamptz>,
            cancel_at -> Nullable<Timestamptz>,
            retry_of -> Nullable<Int8>,
            tenant -> Int4,
            state -> JobState,
            /// Raised by every claim and every rescue. A report must carry it; a stale one changes nothing.
            fence -> Int4,
            timeout_s -> Nullable<Int4>,
            priority -> Int2,
            attempt -> Int2,
            max_attempts -> Int2,
            /// Takes uploads now: true exactly while open. A column of its own so that an index may name it.
            upload -> Bool,
            queue -> Text,
            kind -> Text,
            created_by -> Text,
            created_via -> Text,
            unique_key -> Nullable<Text>,
            cancel_actor -> Nullable<Text>,
            cancel_reason -> Nullable<Text>,
            cancel_via -> Nullable<Text>,
            last_error -> Nullable<Text>,
            payload -> Jsonb,
            /// Seconds from started_at after which no attempt goes on and none begins.
            job_timeout_s -> Nullable<Int4>,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Members of a request that its interface shows again and the handler does not get. Content: it goes when the data of the job is deleted.
        belay.job_attributes (job) {
            job -> Int8,
            data -> Jsonb,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Finished jobs, one partition per day of finishing. A row is cancelled exactly when it carries a cancel mark, so completing a cancelled job violates a CHECK.
        belay.job_done (id, finished_at) {
            id -> Int8,
            worker -> Nullable<Int8>,
            run_at -> Timestamptz,
            created_at -> Timestamptz,
            started_at -> Nullable<Timestamptz>,
            claimed_at -> Nullable<Timestamptz>,
            finished_at -> Timestamptz,
            cancel_at -> Nullable<Timestamptz>,
            data_deleted_at -> Nullable<Timestamptz>,
            retry_of -> Nullable<Int8>,
            tenant -> Int4,
            was -> JobState,
            state -> JobState,
            fence -> Int4,
            timeout_s -> Nullable<Int4>,
            priority -> Int2,
            attempt -> Int2,
            max_attempts -> Int2,
            queue -> Text,
            kind -> Text,
            created_by -> Text,
            created_via -> Text,
            unique_key -> Nullable<Text>,
            cancel_actor -> Nullable<Text>,
            cancel_reason -> Nullable<Text>,
            cancel_via -> Nullable<Text>,
            cancel_rung -> Nullable<CancelRung>,
            last_error -> Nullable<Text>,
            payload -> Jsonb,
            job_timeout_s -> Nullable<Int4>,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Append-only record of every transition except the ordinary ones (created, claimed, completed), which are columns of the job. One partition per month.
        belay.job_event (job, id, at) {
            id -> Int8,
            at -> Timestamptz,
            job -> Int8,
            worker -> Nullable<Int8>,
            tenant -> Int4,
            attempt -> Int2,
            event -> Text,
            was -> Nullable<JobState>,
            state -> Nullable<JobState>,
            actor -> Text,
            via -> Text,
            reason -> Nullable<Text>,
            detail -> Nullable<Jsonb>,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Files that were uploaded whole while their job was open, in upload order. Content: they go with a cancel, with the end of the load, and when the data of the job is deleted.
        belay.job_file (job, ordinal) {
            job -> Int8,
            ordinal -> Int2,
            file -> Int8,
            bytes -> Int8,
            uploaded_at -> Timestamptz,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Last part of what an attempt wrote, while it runs and afterwards, and its error. Content: it goes when the data of the job is deleted, which is why errors do not stand in job_event.
        belay.job_output (job, attempt) {
            job -> Int8,
            attempt -> Int2,
            stdout -> Text,
            stderr -> Text,
            stdout_bytes -> Int8,
            stderr_bytes -> Int8,
            exit_code -> Nullable<Int4>,
            signal -> Nullable<Int4>,
            error -> Nullable<Text>,
            updated_at -> Timestamptz,
            /// How long the attempt ran, once it has ended.
            ran_ms -> Nullable<Int8>,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        belay.job_progress (job) {
            job -> Int8,
            attempt -> Int2,
            done -> Int8,
            total -> Nullable<Int8>,
            message -> Nullable<Text>,
            updated_at -> Timestamptz,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Uploaded data, in chunks of about a mebibyte. Those of a file that counts are named by job_file, those of an upload under way by upload.
        belay.job_upload (job, file, chunk) {
            job -> Int8,
            file -> Int8,
            chunk -> Int4,
            content -> Bytea,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// What jobs can be: registered by each node from its configuration. Holds the defaults that enqueue uses.
        belay.kind (name) {
            name -> Text,
            executor -> Text,
            queue -> Text,
            priority -> Int2,
            max_attempts -> Int2,
            timeout_s -> Nullable<Int4>,
            can_suspend -> Bool,
            seen_at -> Timestamptz,
            /// Whether the usual line, that of queue and priority, is known to exist. Daemons look every few seconds; lines never go.
            has_line -> Bool,
            /// How long a running job that is told to stop may take. Null: it stops at once.
            grace_ms -> Nullable<Int4>,
            /// How long a failed attempt waits for the next, for whoever reports a failure. Null: the default.
            backoff -> Nullable<Jsonb>,
            /// Seconds a job may take from its first start, with all attempts and the waits between them.
            job_timeout_s -> Nullable<Int4>,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// The lines in which jobs wait: one per queue, kind and priority in use. Workers ask for lines by name, so that they claim only kinds they can run.
        belay.line (queue, kind, priority) {
            queue -> Text,
            kind -> Text,
            priority -> Int2,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Queues that ever held a job, registered by the first enqueue.
        belay.queue (name) {
            name -> Text,
            created_at -> Timestamptz,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Loaded rows of objects for which no table is declared. Tenants never end, so their number is no reference: one would be checked for each row.
        belay.record (tenant, object, record_id) {
            tenant -> Int4,
            object -> Text,
            record_id -> Text,
            data -> Jsonb,
            loaded_by -> Int8,
            loaded_at -> Timestamptz,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Logins of an API key through one interface, stored as SHA-256 of the session's token. Ends at ends_at, after idle_s seconds without use, or with its key.
        belay.session (id) {
            id -> Int8,
            hash -> Bytea,
            api_key -> Int4,
            via -> Text,
            /// What it may do at most; null: whatever its key may.
            scopes -> Nullable<Array<Nullable<Text>>>,
            idle_s -> Nullable<Int4>,
            created_at -> Timestamptz,
            used_at -> Timestamptz,
            ends_at -> Timestamptz,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Workers that wait for a notification. Nobody notifies while there is none, so nobody pays for it under load.
        belay.sleeper (worker) {
            worker -> Int8,
            since -> Timestamptz,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// One row: the key of the tokens of belay.sql_settle. Only the owner reads it.
        belay.sql_secret (id) {
            id -> Bool,
            secret -> Bytea,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Owners of jobs. Number 1 is the tenant `default`.
        belay.tenant (id) {
            id -> Int4,
            name -> Text,
            created_at -> Timestamptz,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// Uploads under way. Each chunk is written under the lock of its row here; without that row no chunk is written any more.
        belay.upload (file) {
            file -> Int8,
            job -> Int8,
            started_at -> Timestamptz,
            /// When the latest chunk was written. An upload that is silent for hours was left by a client or daemon that died.
            touched_at -> Timestamptz,
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::state::sql::*;

        /// One row per worker process: the lease of all its jobs. A heartbeat is one HOT update. Marked dead before its jobs are taken away, removed when none is left.
        belay.worker (id) {
            id -> Int8,
            name -> Text,
            host -> Text,
            pid -> Int4,
            version -> Text,
            queues -> Nullable<Array<Nullable<Text>>>,
            kinds -> Array<Nullable<Text>>,
            slots -> Int4,
            lease_ms -> Int4,
            running -> Int4,
            /// Highest ticket this worker has claimed: its jobs lie at or left of it (may be one heartbeat old).
            ticket_ceiling -> Int8,
            started_at -> Timestamptz,
            beat_at -> Timestamptz,
            stopping -> Bool,
            dead_at -> Nullable<Timestamptz>,
            /// Name of the API key that a remote worker belongs to; null for the workers of daemons.
            key -> Nullable<Text>,
            /// Tenants whose jobs a remote worker gets; null for all.
            tenants -> Nullable<Array<Nullable<Int4>>>,
            /// Set by an operator who wants the worker to claim nothing more. It is told with every beat.
            drain -> Bool,
            /// How often a remote worker asked for a check of what it holds. A claim carries the number it began with, so that one whose client has left takes nothing after that.
            checks -> Int4,
        }
    }

    diesel::joinable!(line -> kind (kind));
    diesel::joinable!(line -> queue (queue));
    diesel::joinable!(session -> api_key (api_key));
    diesel::joinable!(sleeper -> worker (worker));

    diesel::allow_tables_to_appear_in_same_query!(
        api_key,
        bulk_action,
        duty,
        idempotency,
        job,
        job_attributes,
        job_done,
        job_event,
        job_file,
        job_output,
        job_progress,
        job_upload,
        kind,
        line,
        queue,
        record,
        session,
        sleeper,
        sql_secret,
        tenant,
        upload,
        worker,
    );
}
