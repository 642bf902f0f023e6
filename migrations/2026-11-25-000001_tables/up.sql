-- Tables of Belay. Everything lives in the schema belay, which exists before the first migration runs.
-- Hot and cold are apart: `job` holds only unfinished work, `job_done` what has ended.
-- The row lock on `job` is the only mutex of a job; every transition happens under it.

create type belay.job_state as enum
  ('open', 'scheduled', 'queued', 'running', 'suspended', 'cancelling', 'completed', 'failed', 'cancelled');

-- The order of the states is used: unfinished ones come before completed, those in the line from queued on, those held by
-- a worker from running on.

create type belay.cancel_rung as enum ('never_started', 'cooperative', 'term', 'kill', 'lease_lost', 'forced');

-- A place in the line. A job takes a new one whenever it becomes queued, so new work always lies to the right
-- and a claimer may start where it left off.
create sequence belay.ticket;

create table belay.tenant (
  id integer generated always as identity primary key,
  name text not null unique,
  created_at timestamptz not null default now(),
  constraint tenant_name check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$')
);
comment on table belay.tenant is 'Owners of jobs. Number 1 is the tenant `default`.';
insert into belay.tenant (name) values ('default');

create table belay.kind (
  name text primary key,
  executor text not null,
  queue text not null default 'default',
  priority smallint not null default 5,
  max_attempts smallint not null default 5,
  timeout_s integer,
  can_suspend boolean not null default false,
  seen_at timestamptz not null default now(),
  constraint kind_name check (name ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$'),
  constraint kind_queue check (queue ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$'),
  constraint kind_priority check (priority between 0 and 9),
  constraint kind_max_attempts check (max_attempts between 1 and 1000),
  constraint kind_timeout check (timeout_s is null or timeout_s between 1 and 31536000)
);
comment on table belay.kind is 'What jobs can be: registered by each node from its configuration. Holds the defaults that enqueue uses.';
insert into belay.kind (name, executor, can_suspend) values ('noop', 'builtin', false), ('sleep', 'builtin', true);

create table belay.queue (
  name text primary key,
  created_at timestamptz not null default now(),
  constraint queue_name check (name ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$')
);
comment on table belay.queue is 'Queues that ever held a job, registered by the first enqueue.';
insert into belay.queue (name) values ('default');

create table belay.line (
  queue text not null references belay.queue,
  kind text not null references belay.kind,
  priority smallint not null,
  primary key (queue, kind, priority)
);
comment on table belay.line is
  'The lines in which jobs wait: one per queue, kind and priority in use. Workers ask for lines by name, so that they claim only kinds they can run.';

create table belay.worker (
  id bigint generated always as identity primary key,
  name text not null,
  host text not null,
  pid integer not null,
  version text not null,
  queues text[],
  kinds text[] not null,
  slots integer not null,
  lease_ms integer not null,
  running integer not null default 0,
  ticket_ceiling bigint not null default 0,
  started_at timestamptz not null default now(),
  beat_at timestamptz not null default now(),
  stopping boolean not null default false,
  dead_at timestamptz,
  constraint worker_lease check (lease_ms between 1000 and 3600000)
) with (fillfactor = 50);
comment on table belay.worker is
  'One row per worker process: the lease of all its jobs. A heartbeat is one HOT update. Marked dead before its jobs are taken away, removed when none is left.';
comment on column belay.worker.ticket_ceiling is 'Highest ticket this worker has claimed: its jobs lie at or left of it (may be one heartbeat old).';

create table belay.sleeper (
  worker bigint primary key references belay.worker on delete cascade,
  since timestamptz not null default now()
);
comment on table belay.sleeper is 'Workers that wait for a notification. Enqueue notifies only while there is one, so nobody pays for it under load.';

-- The shape of a finished row: cancelled exactly when there is a cancel mark, and only from where the table of transitions says.
-- A function, because a one-row INSERT reads the text of every CHECK of its table anew, and this one is long.
create function belay.done_shape(was belay.job_state, state belay.job_state, cancel_at timestamptz, cancel_actor text, cancel_via text,
  cancel_rung belay.cancel_rung, started_at timestamptz, worker bigint) returns boolean
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return state >= 'completed'
    and was < 'completed' and was <> 'suspended'
    and (was = 'running') = (state <> 'cancelled')
    and (cancel_at is null) = (state <> 'cancelled')
    and (cancel_at is null) = (cancel_actor is null)
    and (cancel_at is null) = (cancel_via is null)
    and (cancel_at is null) = (cancel_rung is null)
    and (state = 'cancelled' or (started_at is not null and worker is not null));
end $$;

create table belay.job (
  id bigint generated by default as identity primary key,
  ticket bigint,
  worker bigint,
  run_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  started_at timestamptz,
  claimed_at timestamptz,
  suspended_at timestamptz,
  cancel_at timestamptz,
  retry_of bigint,
  tenant integer not null,
  state belay.job_state not null,
  fence integer not null default 0,
  timeout_s integer,
  priority smallint not null,
  attempt smallint not null default 0,
  max_attempts smallint not null,
  upload boolean not null default false,
  queue text not null,
  kind text not null,
  created_by text not null,
  created_via text not null,
  unique_key text,
  cancel_actor text,
  cancel_reason text,
  cancel_via text,
  last_error text,
  payload jsonb not null default '{}',
  constraint job_id_positive check (id > 0),
  -- One short CHECK, because a one-row INSERT reads the text of every CHECK of its table anew. The rest of the shape of a row
  -- is the business of the trigger job_guard.
  constraint job_cancel_marked check (state < 'completed' and (cancel_at is null) = (state <> 'cancelling'))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);
comment on table belay.job is
  'Unfinished jobs, one row each. No index may name state, worker, attempt, fence, started_at or claimed_at: that keeps the claim a HOT update.';
comment on column belay.job.ticket is 'Place in the line, null while open or scheduled. Kept while the job is held.';
comment on column belay.job.fence is 'Raised by every claim and every rescue. A report must carry it; a stale one changes nothing.';
comment on column belay.job.started_at is 'First claim; never cleared.';
comment on column belay.job.claimed_at is 'Latest claim.';
comment on column belay.job.upload is 'Takes uploads now: true exactly while open. A column of its own so that an index may name it.';
create index job_line on belay.job (queue, kind, priority, ticket) where ticket is not null;
create index job_due on belay.job (run_at) where ticket is null and not upload;
create index job_signalled on belay.job (id) where cancel_at is not null or suspended_at is not null;
create index job_tenant on belay.job (tenant, id);
create unique index job_unique_key on belay.job (tenant, unique_key) where unique_key is not null;

create table belay.job_done (
  id bigint not null,
  worker bigint,
  run_at timestamptz not null,
  created_at timestamptz not null,
  started_at timestamptz,
  claimed_at timestamptz,
  finished_at timestamptz not null default clock_timestamp(),
  cancel_at timestamptz,
  data_deleted_at timestamptz,
  retry_of bigint,
  tenant integer not null,
  was belay.job_state not null,
  state belay.job_state not null,
  fence integer not null,
  timeout_s integer,
  priority smallint not null,
  attempt smallint not null,
  max_attempts smallint not null,
  queue text not null,
  kind text not null,
  created_by text not null,
  created_via text not null,
  unique_key text,
  cancel_actor text,
  cancel_reason text,
  cancel_via text,
  cancel_rung belay.cancel_rung,
  last_error text,
  payload jsonb not null,
  constraint done_shape check (belay.done_shape(was, state, cancel_at, cancel_actor, cancel_via, cancel_rung, started_at, worker)),
  primary key (id, finished_at)
) partition by range (finished_at);
comment on table belay.job_done is
  'Finished jobs, one partition per day of finishing. A row is cancelled exactly when it carries a cancel mark, so completing a cancelled job violates a CHECK.';
create index job_done_tenant on belay.job_done (tenant, id);
create index job_done_bad on belay.job_done (tenant, state, id) where state <> 'completed';

create table belay.job_event (
  id bigint generated always as identity,
  at timestamptz not null default clock_timestamp(),
  job bigint not null,
  worker bigint,
  tenant integer not null,
  attempt smallint not null,
  event text not null,
  was belay.job_state,
  state belay.job_state,
  actor text not null,
  via text not null,
  reason text,
  detail jsonb,
  primary key (job, id, at)
) partition by range (at);
comment on table belay.job_event is
  'Append-only record of every transition except the ordinary ones (created, claimed, completed), which are columns of the job. One partition per month.';
create index job_event_tenant on belay.job_event (tenant, at);

create table belay.job_output (
  job bigint not null,
  attempt smallint not null,
  stdout text not null default '',
  stderr text not null default '',
  stdout_bytes bigint not null default 0,
  stderr_bytes bigint not null default 0,
  exit_code integer,
  signal integer,
  error text,
  updated_at timestamptz not null default now(),
  primary key (job, attempt)
);
comment on table belay.job_output is
  'Last part of what an attempt wrote, while it runs and afterwards, and its error. Content: it goes when the data of the job is deleted, which is why errors do not stand in job_event.';

create table belay.job_progress (
  job bigint primary key,
  attempt smallint not null,
  done bigint not null,
  total bigint,
  message text,
  updated_at timestamptz not null default now(),
  constraint progress_range check (done >= 0 and (total is null or total >= 0))
) with (fillfactor = 50);

create table belay.job_upload (
  job bigint not null,
  file integer not null,
  chunk integer not null,
  content bytea not null,
  primary key (job, file, chunk)
);
comment on table belay.job_upload is 'Data uploaded for a job while it is open. A cancel before the start deletes it in the same transaction.';

create table belay.idempotency (
  tenant integer not null,
  key text not null,
  fingerprint bytea not null,
  job bigint not null,
  created_at timestamptz not null default now(),
  primary key (tenant, key),
  constraint idempotency_key check (length(key) between 1 and 255)
);
comment on table belay.idempotency is 'Requests that must not take effect twice, kept for 24 hours.';
create index idempotency_age on belay.idempotency (created_at);

create table belay.api_key (
  id integer generated always as identity primary key,
  name text not null unique,
  hash bytea not null unique,
  scopes text[] not null,
  tenants integer[],
  created_at timestamptz not null default now(),
  created_by text not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  constraint api_key_name check (name ~ '^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$'),
  constraint api_key_hash check (octet_length(hash) = 32)
);
comment on table belay.api_key is 'API keys, stored as SHA-256 of the whole key. A null list of tenants means all tenants.';

create table belay.duty (
  name text primary key,
  ran_at timestamptz not null,
  worker bigint not null
) with (fillfactor = 50);
comment on table belay.duty is 'When a background duty last ran on any node, so that nodes share the work. Only a saving: every duty is safe to run twice.';
