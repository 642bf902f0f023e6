-- Uploads of ingest jobs, and where they are loaded to when nothing else is declared.
--
-- Bytes stream into `job_upload` in chunks, each in a short transaction of its own, without a lock on the job. `upload` has a
-- row for each upload under way, and a chunk is only written under that row; a file counts when a last step, under the lock of
-- the job, turns the row of `upload` into one of `job_file`. So whoever deletes the row of `upload` first and the chunks after
-- it leaves nothing behind, and nothing can come later.

create table belay.upload (
  file bigint generated always as identity primary key,
  job bigint not null,
  started_at timestamptz not null default now(),
  touched_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table belay.upload is
  'Uploads under way. Each chunk is written under the lock of its row here; without that row no chunk is written any more.';
comment on column belay.upload.touched_at is 'When the latest chunk was written. An upload that is silent for hours was left by a client or daemon that died.';
create index upload_job on belay.upload (job);

create table belay.job_file (
  job bigint not null,
  ordinal smallint not null,
  file bigint not null unique,
  bytes bigint not null,
  uploaded_at timestamptz not null default now(),
  primary key (job, ordinal),
  constraint job_file_ordinal check (ordinal between 1 and 100),
  constraint job_file_bytes check (bytes > 0)
);
comment on table belay.job_file is
  'Files that were uploaded whole while their job was open, in upload order. Content: they go with a cancel, with the end of the load, and when the data of the job is deleted.';

alter table belay.job_upload alter column file type bigint;
comment on table belay.job_upload is
  'Uploaded data, in chunks of about a mebibyte. Those of a file that counts are named by job_file, those of an upload under way by upload.';
-- Compressed by whatever is quickest here.
do $$
begin
  alter table belay.job_upload alter column content set compression lz4;
exception
  when feature_not_supported then null;
end $$;

create table belay.record (
  tenant integer not null,
  object text not null,
  record_id text not null,
  data jsonb not null,
  loaded_by bigint not null,
  loaded_at timestamptz not null default now(),
  primary key (tenant, object, record_id)
);
comment on table belay.record is 'Loaded rows of objects for which no table is declared. Tenants never end, so their number is no reference: one would be checked for each row.';

insert into belay.kind (name, executor, max_attempts) values ('ingest', 'builtin', 3) on conflict (name) do nothing;

-- For those that wait too long. Both columns stay as they are for the life of a row.
create index job_ingest on belay.job (id) where kind = 'ingest';
-- For lists of ingest jobs, latest change first.
create index job_done_ingest on belay.job_done (tenant, finished_at) where kind = 'ingest' and data_deleted_at is null;

-- Deletes everything that was uploaded for jobs whose rows the caller has locked. First what lets chunks come, which waits for
-- one that is just being written; then, in a younger statement, the chunks.
create function belay.delete_uploads(p_jobs bigint[]) returns void language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  delete from belay.upload u where u.job = any (p_jobs);
  delete from belay.job_file f where f.job = any (p_jobs);
  delete from belay.job_upload u where u.job = any (p_jobs);
end $$;
revoke all on function belay.delete_uploads(bigint[]) from public;

-- As before; uploads under way are deleted, too, and those of a load that is told to stop.
create or replace function belay.cancel_held(p_held tid[], p_actor text, p_reason text, p_via text, p_limit text)
returns table (id bigint, was belay.job_state, state belay.job_state, outcome text, started boolean, worker bigint) language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  gone bigint[] := '{}';
  r record;
begin
  for r in
    with d as (
      delete from belay.job j where j.ctid = any (p_held) and j.state in ('open', 'scheduled', 'queued')
        and (p_limit <> 'never_started' or j.started_at is null)
      returning j.*),
    e as (
      insert into belay.job_event (job, tenant, attempt, event, was, state, actor, via, reason)
      select d.id, d.tenant, d.attempt, 'cancelled', d.state, 'cancelled', p_actor, p_via, p_reason from d)
    insert into belay.job_done (id, worker, run_at, created_at, started_at, claimed_at, cancel_at, retry_of, tenant, was, state, fence, timeout_s,
        priority, attempt, max_attempts, queue, kind, created_by, created_via, unique_key, cancel_actor, cancel_reason, cancel_via, cancel_rung, last_error, payload)
      select d.id, null, d.run_at, d.created_at, d.started_at, d.claimed_at, clock_timestamp(), d.retry_of, d.tenant, d.state, 'cancelled', d.fence, d.timeout_s,
        d.priority, d.attempt, d.max_attempts, d.queue, d.kind, d.created_by, d.created_via, d.unique_key, p_actor, p_reason, p_via, 'never_started', d.last_error, d.payload
      from d
      returning job_done.id, job_done.was, job_done.started_at is not null as started
  loop
    id := r.id; was := r.was; state := 'cancelled'; outcome := 'cancelled'; started := r.started; worker := null;
    gone := gone || r.id;
    return next;
  end loop;
  if gone <> '{}' then
    -- Uploaded data of a job that will never run goes with it.
    perform belay.delete_uploads(gone);
  end if;
  if cardinality(gone) = cardinality(p_held) then
    return;
  end if;
  -- What is left of the held rows has started, or may not be cancelled under this limit.
  for r in select j.id, j.state, j.worker, j.started_at is not null as started from belay.job j where j.ctid = any (p_held) loop
    id := r.id; was := r.state; started := r.started; worker := r.worker;
    if r.state = 'cancelling' then
      state := r.state; outcome := 'already';
    elsif p_limit = 'any' then
      state := 'cancelling'; outcome := 'cancelling';
    else
      state := r.state; outcome := 'refused';
    end if;
    return next;
  end loop;
  if p_limit = 'any' then
    for r in
      with c as (
        update belay.job j set state = 'cancelling', suspended_at = null, cancel_at = clock_timestamp(), cancel_actor = p_actor, cancel_reason = p_reason, cancel_via = p_via
        where j.ctid = any (p_held) and j.state in ('running', 'suspended')
        returning j.id, j.worker, j.tenant, j.attempt, j.kind),
      e as (
        insert into belay.job_event (job, worker, tenant, attempt, event, was, state, actor, via, reason)
        -- `o` is read in this statement's snapshot, which is younger than our locks and older than the update above.
        select c.id, c.worker, c.tenant, c.attempt, 'cancel_requested', o.state, 'cancelling', p_actor, p_via, p_reason
        from c join belay.job o on o.id = c.id)
      select c.worker, array_agg(c.id) filter (where c.kind = 'ingest') as loads from c group by c.worker
    loop
      -- A hint only: every heartbeat brings the same news.
      perform pg_notify('belay', 'stop ' || r.worker);
      if r.loads is not null then
        -- What is loaded now will be rolled back, so nobody needs its data any more.
        perform belay.delete_uploads(r.loads);
      end if;
    end loop;
  end if;
end $$;

-- As before; the data of a load that failed goes to its retry.
create or replace function belay.op_retry(p_id bigint, p_tenant integer, p_actor text, p_reason text, p_via text, out outcome text, out id bigint, out was belay.job_state)
language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
as $$
#variable_conflict use_column
declare
  f belay.job_done;
  live belay.job_state;
  s belay.job_state := 'queued';
begin
  -- An unfinished job first, with a lock that only its end would break: under REPEATABLE READ a job that has finished since the
  -- caller's snapshot is 40001, not a refusal.
  select j.state into live from belay.job j where j.id = p_id and (p_tenant is null or j.tenant = p_tenant) for key share;
  if found then
    outcome := 'unfinished';
    was := live;
    return;
  end if;
  -- The lock is against a deletion of the job's data at the same moment.
  select * into f from belay.job_done d where d.id = p_id and (p_tenant is null or d.tenant = p_tenant) for update;
  if not found then
    outcome := 'missing';
    return;
  end if;
  was := f.state;
  -- A load that was completed or aborted has no data any more, and one that failed gives its data to its retry.
  if f.data_deleted_at is not null or f.kind = 'ingest' and not exists (select from belay.job_file u where u.job = f.id) then
    outcome := 'data_deleted';
    return;
  end if;
  if not exists (select from belay.kind k where k.name = f.kind) then
    perform belay.known_kind(f.kind);
  end if;
  perform belay.ensure_line(f.queue, f.kind, f.priority);
  insert into belay.job (ticket, run_at, retry_of, tenant, state, timeout_s, priority, max_attempts, queue, kind, created_by, created_via, unique_key, payload)
  values (nextval('belay.ticket'), now(), f.id, f.tenant, s, f.timeout_s, f.priority, f.max_attempts, f.queue, f.kind, p_actor, p_via, f.unique_key, f.payload)
  on conflict (tenant, unique_key) where unique_key is not null do nothing
  returning job.id into id;
  if id is null then
    outcome := 'unique_key_taken';
    return;
  end if;
  update belay.job_file u set job = op_retry.id where u.job = f.id;
  if found then
    update belay.job_upload u set job = op_retry.id where u.job = f.id;
  end if;
  perform belay.wake();
  insert into belay.job_event (job, tenant, attempt, event, was, state, actor, via, reason, detail)
  values (f.id, f.tenant, f.attempt, 'retried', f.state, f.state, p_actor, p_via, p_reason, jsonb_build_object('job', id));
  outcome := 'retried';
end $$;
