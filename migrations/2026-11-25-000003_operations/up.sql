-- Operations that both the SQL API and the daemon use. They are not granted to anyone: callers go through the SQL API
-- or are the daemon itself. Refusals carry a constraint name, which is how the daemon tells them apart.

-- The other spellings of a job's id, computed from its creation time and number (reversible, not stored).
-- uid: 48 bits of Unix milliseconds, version 8, zeros, variant, 62 bits of id.  key: 32 bits of Unix seconds, 64 bits of id.
create function belay.job_uid(p_id bigint, p_created_at timestamptz) returns uuid
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select (lpad(to_hex(floor(extract(epoch from p_created_at) * 1000)::bigint), 12, '0') || '8000'
          || to_hex(p_id | (-9223372036854775807 - 1)))::uuid
$$;

create function belay.job_key(p_id bigint, p_created_at timestamptz) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select lpad(to_hex(floor(extract(epoch from p_created_at))::bigint), 8, '0') || lpad(to_hex(p_id), 16, '0')
$$;

-- Workers that sleep are woken by a notification; while nobody sleeps nobody pays for one. Whoever makes a job calls this in
-- the same transaction. A row that is inserted by hand is found by the next poll.
-- Transactions that notify commit one after the other, so at most one in 5 ms does: whoever was woken looks around for longer
-- than that before it sleeps again. A clock that was set back notifies.
create function belay.wake() returns void language plpgsql
set search_path = pg_catalog, belay, pg_temp
as $$
declare
  ms bigint;
begin
  if exists (select from belay.sleeper) then
    ms := extract(epoch from clock_timestamp()) * 1000;
    if ms - (select last_value from belay.wake_clock) not between 0 and 4 then
      perform setval('belay.wake_clock', ms), pg_notify('belay', 'wake');
    end if;
  end if;
end $$;

-- Makes sure that a line exists before a job stands in it. The first job of a new line registers it, and other first
-- jobs of the same line wait until that transaction ends.
create function belay.ensure_line(p_queue text, p_kind text, p_priority smallint) returns void language plpgsql
set search_path = pg_catalog, belay, pg_temp
as $$
begin
  if exists (select from belay.line l where l.queue = p_queue and l.kind = p_kind and l.priority = p_priority) then
    return;
  end if;
  if p_priority is null or p_priority not between 0 and 9 then
    raise exception 'priority % is out of range: it must be from 0 (first) to 9 (last)', p_priority
      using errcode = 'check_violation', constraint = 'job_priority';
  end if;
  if p_queue is null or p_queue !~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$' then
    raise exception 'queue name "%" is not valid: use 1 to 100 letters, digits and . _ : - and begin with a letter or digit', left(p_queue, 120)
      using errcode = 'check_violation', constraint = 'queue_name';
  end if;
  insert into belay.queue (name) values (p_queue) on conflict do nothing;
  insert into belay.line (queue, kind, priority) values (p_queue, p_kind, p_priority) on conflict do nothing;
  -- Workers that are awake look for new lines only once a second.
  perform pg_notify('belay', 'wake');
end $$;

-- Looks a kind and a tenant up, for the defaults and for a clear refusal.
create function belay.known_kind(p_kind text) returns belay.kind language plpgsql stable
set search_path = pg_catalog, belay, pg_temp
as $$
declare
  k belay.kind;
begin
  select * into k from belay.kind where name = p_kind;
  if not found then
    raise exception 'unknown kind "%"', left(p_kind, 120)
      using errcode = 'foreign_key_violation', constraint = 'belay_unknown_kind',
            hint = 'Register the kind in the configuration file of a daemon ([kinds.NAME]) and restart it.';
  end if;
  return k;
end $$;

create function belay.check_payload(p_payload jsonb) returns void language plpgsql immutable
set search_path = pg_catalog, belay, pg_temp
as $$
begin
  if p_payload is null then
    raise exception 'the payload is null' using errcode = 'check_violation', constraint = 'belay_payload',
      hint = 'Leave the payload out, or give JSON; the JSON value null is written as ''null''::jsonb.';
  end if;
  -- The limit is one on the text that the caller sends, and is kept where that text is known. As stored a payload may be
  -- several times as large, and this only keeps out what cannot come from there.
  if pg_column_size(p_payload) > 16777216 then
    raise exception 'the payload has % bytes as stored, more than the 16777216 (16 MiB) allowed', pg_column_size(p_payload)
      using errcode = 'check_violation', constraint = 'belay_payload_size';
  end if;
end $$;

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

-- Enqueue one. Takes no lock on any job. With a unique key it answers the unfinished job that has it; with an
-- idempotency key it answers the job of the first request, and refuses another request under the same key.
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

-- Enqueue many at once, one answer per request in request order. Null entries take the kind's defaults.
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

-- Cancel: lock, then act, as two statements. The second one's snapshot is younger than the locks, so it sees the locked
-- versions; one statement with the lock in a CTE would act on rows of the old snapshot and lose cancels. The act is by
-- ctid: the locks keep it stable, and the planner has no choice to make.
--   p_limit: 'any', or 'waiting' (refuse what is running), or 'never_started' (refuse also what ever ran).
-- Answers one row per held row: the state it was in, the state it has now, and cancelled | cancelling | already | refused.
create function belay.cancel_held(p_held tid[], p_actor text, p_reason text, p_via text, p_limit text)
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
    delete from belay.job_upload u where u.job = any (gone);
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
        returning j.id, j.worker, j.tenant, j.attempt),
      e as (
        insert into belay.job_event (job, worker, tenant, attempt, event, was, state, actor, via, reason)
        -- `o` is read in this statement's snapshot, which is younger than our locks and older than the update above.
        select c.id, c.worker, c.tenant, c.attempt, 'cancel_requested', o.state, 'cancelling', p_actor, p_via, p_reason
        from c join belay.job o on o.id = c.id)
      select distinct c.worker from c
    loop
      -- A hint only: every heartbeat brings the same news.
      perform pg_notify('belay', 'stop ' || r.worker);
    end loop;
  end if;
end $$;

create function belay.op_cancel(p_ids bigint[], p_tenant integer, p_actor text, p_reason text, p_via text, p_limit text)
returns table (id bigint, was belay.job_state, state belay.job_state, outcome text, started boolean, worker bigint) language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  held tid[];
begin
  held := array(select j.t from (select distinct u as id from unnest(p_ids) u order by 1) x
                cross join lateral (select j.ctid as t from belay.job j where j.id = x.id and (p_tenant is null or j.tenant = p_tenant) for update) j);
  if cardinality(held) < cardinality(p_ids) then
    -- Finished already, repeated in the list, or unknown (no row). In a younger statement than the lock, so that a job
    -- which finished while we waited is found here.
    return query
      select f.id, f.state, f.state, case when f.state = 'cancelled' then 'already' else 'refused' end, f.started_at is not null, f.worker
      from belay.job_done f where f.id = any (p_ids) and (p_tenant is null or f.tenant = p_tenant);
  end if;
  return query select * from belay.cancel_held(held, p_actor, p_reason, p_via, p_limit);
end $$;

-- Cancel by filter, a chunk at a time: ids above p_after and up to p_last (taken once at the start), upwards. Call again
-- with p_after = hi until n < p_chunk. Each chunk is a transaction of its own, so claimers never wait long.
create function belay.op_cancel_chunk(p_after bigint, p_last bigint, p_tenant integer, p_queue text, p_kind text,
  p_state belay.job_state, p_actor text, p_reason text, p_via text, p_chunk integer, out n integer, out hi bigint, out accepted integer)
language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  held tid[];
begin
  select coalesce(array_agg(l.t), '{}'), count(*), coalesce(max(l.id), p_last) into held, n, hi
  from (select j.id, j.ctid as t from belay.job j
        where j.tenant = p_tenant and j.id > p_after and j.id <= p_last and (p_queue is null or j.queue = p_queue)
          and (p_kind is null or j.kind = p_kind) and (p_state is null or j.state = p_state)
        order by j.id limit p_chunk for update) l;
  select count(*) filter (where c.outcome in ('cancelled', 'cancelling')) into accepted
  from belay.cancel_held(held, p_actor, p_reason, p_via, 'any') c;
end $$;

-- Retry by hand: a finished job never changes, so a new job with the same content is made and linked to it.
create function belay.op_retry(p_id bigint, p_tenant integer, p_actor text, p_reason text, p_via text, out outcome text, out id bigint, out was belay.job_state)
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
  if f.data_deleted_at is not null then
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
  perform belay.wake();
  insert into belay.job_event (job, tenant, attempt, event, was, state, actor, via, reason, detail)
  values (f.id, f.tenant, f.attempt, 'retried', f.state, f.state, p_actor, p_via, p_reason, jsonb_build_object('job', id));
  outcome := 'retried';
end $$;
