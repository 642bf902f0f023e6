drop function belay.op_enqueue(integer, text, jsonb, text, smallint, timestamptz, smallint, integer, integer, text, text, boolean, text, text);
drop function belay.op_enqueue_many(integer, text[], jsonb[], text[], smallint[], timestamptz[], smallint[], integer[], integer[], text[], text, text);
drop function belay.check_ranges(smallint, integer, integer, timestamptz, text);
drop function belay.enqueue(text, jsonb, text, integer, timestamptz, integer, integer, text, text, integer, text, integer);

create function belay.check_ranges(p_attempts smallint, p_timeout integer, p_run_at timestamptz, p_unique_key text) returns void language plpgsql immutable
set search_path = pg_catalog, belay, pg_temp
as $$
begin
  if p_attempts not between 1 and 1000 then
    raise exception 'max_attempts is %, it must be from 1 to 1000', p_attempts using errcode = 'check_violation', constraint = 'job_attempts';
  end if;
  if p_timeout not between 1 and 31536000 then
    raise exception 'timeout_s is %, it must be from 1 to 31536000 seconds (a year)', p_timeout using errcode = 'check_violation', constraint = 'job_timeout';
  end if;
  -- Programs that read jobs must be able to hold the time.
  if p_run_at not between '0001-01-01 00:00:00+00' and '9999-12-31 23:59:59+00' then
    raise exception 'run_at is %, it must lie between the years 1 and 9999', p_run_at using errcode = 'check_violation', constraint = 'belay_run_at';
  end if;
  if length(p_unique_key) not between 1 and 255 then
    raise exception 'unique_key has % characters, it must have 1 to 255', length(p_unique_key)
      using errcode = 'check_violation', constraint = 'belay_unique_key';
  end if;
end $$;

create function belay.op_enqueue(
  p_tenant integer, p_kind text, p_payload jsonb, p_queue text, p_priority smallint, p_run_at timestamptz,
  p_max_attempts smallint, p_timeout_s integer, p_unique_key text, p_idempotency_key text, p_open boolean,
  p_actor text, p_via text, out id bigint, out existed boolean)
language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  q text; prio smallint; attempts smallint; timeout integer; tenant_known boolean; line_known boolean; asleep boolean;
  due timestamptz; s belay.job_state; print bytea; seen belay.idempotency;
begin
  -- The ordinary job, in one statement: everything it needs exists already. Whatever does not go through here is looked at
  -- step by step below, for the sake of the answer.
  if p_idempotency_key is null and p_unique_key is null and p_run_at is null and not p_open then
    insert into belay.job (ticket, run_at, tenant, state, timeout_s, priority, max_attempts, queue, kind, created_by, created_via, payload)
    select nextval('belay.ticket'), now(), p_tenant, 'queued', coalesce(p_timeout_s, k.timeout_s), l.priority, coalesce(p_max_attempts, k.max_attempts),
           l.queue, k.name, p_actor, p_via, p_payload
    from belay.kind k
    join belay.line l on l.queue = coalesce(p_queue, k.queue) and l.kind = k.name and l.priority = coalesce(p_priority, k.priority)
    where k.name = p_kind and exists (select from belay.tenant t where t.id = p_tenant) and pg_column_size(p_payload) <= 16777216
      and (p_max_attempts is null or p_max_attempts between 1 and 1000) and (p_timeout_s is null or p_timeout_s between 1 and 31536000)
    returning job.id, false, exists (select from belay.sleeper) into id, existed, asleep;
    if found then
      if asleep then
        perform belay.wake();
      end if;
      return;
    end if;
  end if;

  due := coalesce(p_run_at, now());
  s := case when p_open then 'open' when p_run_at > now() then 'scheduled' else 'queued' end;
  select coalesce(p_queue, k.queue), coalesce(p_priority, k.priority), coalesce(p_max_attempts, k.max_attempts), coalesce(p_timeout_s, k.timeout_s),
         exists (select from belay.tenant t where t.id = p_tenant),
         exists (select from belay.line l where l.queue = coalesce(p_queue, k.queue) and l.kind = p_kind and l.priority = coalesce(p_priority, k.priority))
    into q, prio, attempts, timeout, tenant_known, line_known
    from belay.kind k where k.name = p_kind;
  if not found then
    perform belay.known_kind(p_kind);
  end if;
  if not tenant_known then
    raise exception 'unknown tenant %', p_tenant using errcode = 'foreign_key_violation', constraint = 'belay_unknown_tenant',
      hint = 'List the tenants with `belay tenant list`, or make one with `belay tenant create`.';
  end if;
  if p_payload is null or pg_column_size(p_payload) > 16777216 then
    perform belay.check_payload(p_payload);
  end if;
  perform belay.check_ranges(attempts, timeout, p_run_at, p_unique_key);
  if not line_known then
    perform belay.ensure_line(q, p_kind, prio);
  end if;
  existed := false;

  if p_idempotency_key is not null then
    if length(p_idempotency_key) not between 1 and 255 then
      raise exception 'the idempotency key has % characters, it must have 1 to 255', length(p_idempotency_key)
        using errcode = 'check_violation', constraint = 'idempotency_key';
    end if;
    print := sha256(convert_to(jsonb_build_array(p_kind, p_payload, p_queue, p_priority, extract(epoch from p_run_at), p_max_attempts,
                                                 p_timeout_s, p_unique_key, p_open)::text, 'UTF8'));
    delete from belay.idempotency i where i.tenant = p_tenant and i.key = p_idempotency_key
      and i.created_at < now() - interval '24 hours';
    id := nextval('belay.job_id_seq');
    -- Waits for another transaction that is using the same key, and is then told of its row.
    insert into belay.idempotency (tenant, key, fingerprint, job) values (p_tenant, p_idempotency_key, print, id)
      on conflict do nothing;
    if not found then
      select * into seen from belay.idempotency i where i.tenant = p_tenant and i.key = p_idempotency_key;
      if seen.fingerprint is distinct from print then
        raise exception 'the idempotency key "%" was used for another request', p_idempotency_key
          using errcode = 'unique_violation', constraint = 'belay_idempotency_conflict',
                hint = 'Use a new key for a new request; a key is kept for 24 hours.';
      end if;
      id := seen.job;
      existed := true;
      return;
    end if;
  end if;

  loop
    id := coalesce(id, nextval('belay.job_id_seq'));
    if p_unique_key is null then
      insert into belay.job (id, ticket, run_at, retry_of, tenant, state, timeout_s, priority, max_attempts, upload, queue, kind,
                             created_by, created_via, payload)
      values (op_enqueue.id, case when s = 'queued' then nextval('belay.ticket') end, due, null, p_tenant, s, timeout, prio, attempts,
              s = 'open', q, p_kind, p_actor, p_via, p_payload);
      perform belay.wake();
      return;
    end if;
    insert into belay.job (id, ticket, run_at, tenant, state, timeout_s, priority, max_attempts, upload, queue, kind,
                           created_by, created_via, unique_key, payload)
    values (op_enqueue.id, case when s = 'queued' then nextval('belay.ticket') end, due, p_tenant, s, timeout, prio, attempts,
            s = 'open', q, p_kind, p_actor, p_via, p_unique_key, p_payload)
    on conflict (tenant, unique_key) where unique_key is not null do nothing;
    if found then
      perform belay.wake();
      return;
    end if;
    -- Somebody holds the key. Look again in a younger statement: the holder may have finished in between, then try anew.
    select j.id into id from belay.job j where j.tenant = p_tenant and j.unique_key = p_unique_key;
    if found then
      existed := true;
      if p_idempotency_key is not null then
        update belay.idempotency i set job = op_enqueue.id where i.tenant = p_tenant and i.key = p_idempotency_key;
      end if;
      return;
    end if;
    id := null;
    if p_idempotency_key is not null then
      select i.job into id from belay.idempotency i where i.tenant = p_tenant and i.key = p_idempotency_key;
    end if;
  end loop;
end $$;

create function belay.op_enqueue_many(
  p_tenant integer, p_kinds text[], p_payloads jsonb[], p_queues text[], p_priorities smallint[], p_run_ats timestamptz[],
  p_max_attempts smallint[], p_timeouts integer[], p_unique_keys text[], p_actor text, p_via text)
returns table (ord integer, id bigint, existed boolean)
language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
as $$
#variable_conflict use_column
declare
  n integer := cardinality(p_kinds);
  r record;
  ids bigint[];
  tickets bigint[];
begin
  if not exists (select from belay.tenant t where t.id = p_tenant) then
    raise exception 'unknown tenant %', p_tenant using errcode = 'foreign_key_violation', constraint = 'belay_unknown_tenant';
  end if;
  -- Kinds and lines in one fixed order, so that two callers that register the same new lines cannot deadlock.
  for r in
    select distinct x.kind, coalesce(x.queue, k.queue) as queue, coalesce(x.priority, k.priority) as priority, k.name is null as unknown
    from unnest(p_kinds, p_queues, p_priorities) x (kind, queue, priority) left join belay.kind k on k.name = x.kind
    order by 2, 1, 3
  loop
    if r.unknown then perform belay.known_kind(r.kind); end if;
    perform belay.ensure_line(r.queue, r.kind, r.priority);
  end loop;
  perform belay.check_payload(x.payload) from unnest(p_payloads) x (payload) where x.payload is null or pg_column_size(x.payload) > 16777216;
  perform belay.check_ranges(x.attempts, x.timeout, x.run_at, x.ukey) from unnest(p_max_attempts, p_timeouts, p_run_ats, p_unique_keys) x (attempts, timeout, run_at, ukey)
    where x.attempts is not null or x.timeout is not null or x.run_at is not null or x.ukey is not null;

  -- Numbers and places in the line are taken in request order; the rows are written in the order of their unique keys, so that
  -- two batches with the same keys cannot deadlock.
  ids := array(select nextval('belay.job_id_seq') from generate_series(1, n));
  tickets := array(select nextval('belay.ticket') from generate_series(1, n));
  insert into belay.job (id, ticket, run_at, tenant, state, timeout_s, priority, max_attempts, queue, kind, created_by, created_via, unique_key, payload)
  select x.id, case when x.run_at > now() then null else x.ticket end, coalesce(x.run_at, now()), p_tenant,
         case when x.run_at > now() then 'scheduled' else 'queued' end::belay.job_state, coalesce(x.timeout, k.timeout_s),
         coalesce(x.priority, k.priority), coalesce(x.attempts, k.max_attempts), coalesce(x.queue, k.queue), x.kind, p_actor, p_via, x.ukey, x.payload
  from unnest(ids, tickets, p_kinds, p_payloads, p_queues, p_priorities, p_run_ats, p_max_attempts, p_timeouts, p_unique_keys)
       with ordinality x (id, ticket, kind, payload, queue, priority, run_at, attempts, timeout, ukey, ord)
       join belay.kind k on k.name = x.kind
  order by x.ukey nulls first, x.ord
  on conflict (tenant, unique_key) where unique_key is not null do nothing;
  perform belay.wake();
  if n > 0 and not exists (select from unnest(p_unique_keys) u (k) where u.k is not null) then
    return query select i.o::integer, i.i, false from unnest(ids) with ordinality i (i, o);
    return;
  end if;
  for r in
    select x.*, j.id is not null as made from unnest(ids, p_kinds, p_payloads, p_queues, p_priorities, p_run_ats, p_max_attempts, p_timeouts, p_unique_keys)
      with ordinality x (id, kind, payload, queue, priority, run_at, attempts, timeout, ukey, ord)
      left join belay.job j on j.id = x.id order by x.ord
  loop
    ord := r.ord;
    if r.made then
      id := r.id; existed := false;
    else
      select e.id, e.existed into id, existed from belay.op_enqueue(p_tenant, r.kind, r.payload, r.queue, r.priority, r.run_at,
        r.attempts, r.timeout, r.ukey, null, false, p_actor, p_via) e;
    end if;
    return next;
  end loop;
end $$;

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

create function belay.enqueue(
  kind text, payload jsonb default '{}', queue text default null, priority integer default null, run_at timestamptz default null,
  max_attempts integer default null, timeout_s integer default null, unique_key text default null,
  idempotency_key text default null, tenant integer default 1, actor text default null)
returns bigint language plpgsql volatile security definer
set search_path = pg_catalog, belay, pg_temp
as $$
#variable_conflict use_variable
declare
  r record;
begin
  select * into r from belay.op_enqueue(tenant, kind, belay.checked_payload(payload), queue, belay.small('priority', priority), run_at,
    belay.small('max_attempts', max_attempts), timeout_s, unique_key, idempotency_key, false, belay.caller(actor), 'sql');
  return r.id;
end $$;
comment on function belay.enqueue is
  'Enqueues one job and answers its id. With unique_key the unfinished job that has the key is answered; with idempotency_key the job of the first request.';

create or replace function belay.enqueue_many(jobs jsonb, tenant integer default 1, actor text default null)
returns table (ord integer, id bigint, existed boolean) language plpgsql volatile security definer
set search_path = pg_catalog, belay, pg_temp
as $$
#variable_conflict use_variable
declare
  r record;
begin
  if jobs is null or jsonb_typeof(jobs) <> 'array' then
    raise exception 'jobs must be a JSON array of objects' using errcode = 'check_violation', constraint = 'belay_jobs';
  end if;
  if jsonb_array_length(jobs) > 10000 then
    raise exception '% jobs at once, at most 10000 are allowed', jsonb_array_length(jobs)
      using errcode = 'check_violation', constraint = 'belay_jobs';
  end if;
  if jsonb_path_exists(jobs, 'strict $[*] ? (@.type() <> "object")') then
    raise exception 'every element of jobs must be an object, like {"kind": "noop"}' using errcode = 'check_violation', constraint = 'belay_jobs';
  end if;
  -- A misspelt run_at must not run a job now.
  select e.n - 1 as place, k.name into r
    from jsonb_array_elements(jobs) with ordinality e (j, n) cross join lateral jsonb_object_keys(e.j) k (name)
    where k.name not in ('kind', 'payload', 'queue', 'priority', 'run_at', 'max_attempts', 'timeout_s', 'unique_key')
    order by e.n limit 1;
  if found then
    raise exception 'jobs[%] has the unknown member "%"', r.place, left(r.name, 60) using errcode = 'check_violation', constraint = 'belay_jobs',
      hint = 'Known are kind, payload, queue, priority, run_at, max_attempts, timeout_s and unique_key.';
  end if;
  select array_agg(x.kind order by n) as kinds, array_agg(belay.checked_payload(case when e.j ? 'payload' then e.j -> 'payload' else '{}' end) order by n) as payloads, array_agg(x.queue order by n) as queues,
         array_agg(belay.small('priority', x.priority) order by n) as priorities, array_agg(x.run_at order by n) as run_ats,
         array_agg(belay.small('max_attempts', x.max_attempts) order by n) as attempts, array_agg(x.timeout_s order by n) as timeouts,
         array_agg(x.unique_key order by n) as ukeys, bool_or(x.kind is null) as no_kind
    into r
    from jsonb_array_elements(jobs) with ordinality e (j, n)
         cross join lateral jsonb_to_record(e.j) x (kind text, queue text, priority integer, run_at timestamptz,
                                                    max_attempts integer, timeout_s integer, unique_key text);
  if r.kinds is null then
    return;
  end if;
  if r.no_kind then
    raise exception 'a job in the list has no "kind"' using errcode = 'check_violation', constraint = 'belay_jobs';
  end if;
  return query select m.ord, m.id, m.existed from belay.op_enqueue_many(tenant, r.kinds, r.payloads, r.queues, r.priorities, r.run_ats,
    r.attempts, r.timeouts, r.ukeys, belay.caller(actor), 'sql') m;
end $$;

revoke all on function belay.check_ranges(smallint, integer, timestamptz, text), belay.op_enqueue(integer, text, jsonb, text, smallint, timestamptz, smallint, integer, text, text, boolean, text, text),
  belay.op_enqueue_many(integer, text[], jsonb[], text[], smallint[], timestamptz[], smallint[], integer[], text[], text, text), belay.enqueue(text, jsonb, text, integer, timestamptz, integer, integer, text, text, integer, text)
  from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'belay_client') then
    grant execute on function belay.enqueue(text, jsonb, text, integer, timestamptz, integer, integer, text, text, integer, text) to belay_client;
  end if;
end $$;

drop trigger job_done_final on belay.job_done;
create trigger job_done_final before update on belay.job_done for each row
  when ((old.id, old.worker, old.run_at, old.created_at, old.started_at, old.claimed_at, old.finished_at, old.cancel_at,
         old.retry_of, old.tenant, old.was, old.state, old.fence, old.timeout_s, old.priority, old.attempt,
         old.max_attempts, old.queue, old.kind, old.created_by, old.created_via, old.unique_key, old.cancel_actor,
         old.cancel_reason, old.cancel_via, old.cancel_rung)
    is distinct from
        (new.id, new.worker, new.run_at, new.created_at, new.started_at, new.claimed_at, new.finished_at, new.cancel_at,
         new.retry_of, new.tenant, new.was, new.state, new.fence, new.timeout_s, new.priority, new.attempt,
         new.max_attempts, new.queue, new.kind, new.created_by, new.created_via, new.unique_key, new.cancel_actor,
         new.cancel_reason, new.cancel_via, new.cancel_rung)
    or (old.data_deleted_at is not null and new.data_deleted_at is distinct from old.data_deleted_at))
  execute function belay.refuse_rewrite('a finished job never changes, job');

alter table belay.job_output drop column ran_ms;
alter table belay.job_done drop column job_timeout_s;
alter table belay.job drop column job_timeout_s;
alter table belay.kind drop column grace_ms, drop column backoff, drop column job_timeout_s;
