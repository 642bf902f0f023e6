-- Bulk actions: what their interface keeps of a job, and the durable walk of the kinds `cancel_jobs` and `retry_jobs`.

create table belay.bulk_action (
  job bigint primary key,
  action_duration bigint not null default 0,
  action_reason text,
  max_limit bigint not null default 0,
  preview_count bigint not null default 0,
  affected_count bigint not null default 0,
  walk_id bigint not null default 0,
  last_id bigint,
  begun_at timestamptz,
  done_count bigint not null default 0,
  total bigint,
  updated_at timestamptz not null default clock_timestamp(),
  constraint bulk_action_range check (action_duration >= 0 and max_limit >= 0 and preview_count >= 0 and affected_count >= 0
    and done_count >= affected_count and (max_limit = 0 or affected_count <= max_limit) and (total is null or total >= 0)),
  constraint bulk_action_begun check ((last_id is null) = (begun_at is null))
) with (fillfactor = 50);
comment on table belay.bulk_action is
  'Bulk actions: what was asked for beside the payload, and where the walk of cancel_jobs and retry_jobs stands. Written under the lock of the job''s own row. Content: it goes when the data of the job is deleted.';
comment on column belay.bulk_action.max_limit is 'Most jobs that are acted on; 0 for no limit.';
comment on column belay.bulk_action.walk_id is 'Ids up to this one are behind the walk.';
comment on column belay.bulk_action.last_id is 'Where the walk ends, fixed at its first start; null before.';
comment on column belay.bulk_action.done_count is 'Jobs acted on or skipped.';
comment on column belay.bulk_action.total is 'Jobs that matched at the first start; null when that is not known.';

-- Known from the beginning, so that they can be enqueued before a worker has registered them. A restart or a lost lease is no
-- reason to give up, hence the attempts.
insert into belay.kind (name, executor, max_attempts, can_suspend) values ('cancel_jobs', 'builtin', 100, true), ('retry_jobs', 'builtin', 100, true)
on conflict (name) do update set executor = excluded.executor, max_attempts = excluded.max_attempts, can_suspend = excluded.can_suspend;

-- Whether a walk may act: go, held (suspended: wait), or gone (cancelled, or this attempt does not hold the job any more).
create function belay.bulk_standing(p_state belay.job_state, p_same_attempt boolean) returns text
language sql immutable parallel safe
set search_path = pg_catalog, belay, pg_temp
as $$
  select case when p_same_attempt is not true then 'gone' when p_state = 'running' then 'go' when p_state = 'suspended' then 'held' else 'gone' end
$$;

-- Begins or takes up a walk. Locks the job's own row and nothing else. At the first start fixes where the walk ends: what is made
-- (or finishes, p_finished) later is not its business. A job that repeats another one by hand has the other's terms; when they
-- are not kept any more the standing is `terms_lost`, because without its limit a walk could do too much.
create function belay.op_bulk_begin(p_job bigint, p_fence integer, p_worker bigint, p_finished boolean, out standing text, out tenant integer,
  out walk_id bigint, out last_id bigint, out begun_at timestamptz, out max_limit bigint, out affected_count bigint, out done_count bigint, out total bigint)
language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
as $$
#variable_conflict use_column
declare
  own record;
  terms record;
  earlier record;
  b belay.bulk_action;
  source bigint;
  last bigint;
begin
  select j.tenant, j.state, j.retry_of, j.fence = p_fence and j.worker = p_worker as same into own from belay.job j where j.id = p_job for update;
  standing := belay.bulk_standing(own.state, own.same);
  if standing <> 'go' then
    return;
  end if;
  if not exists (select from belay.bulk_action a where a.job = p_job) then
    source := own.retry_of;
    while source is not null loop
      select a.action_duration, a.action_reason, a.max_limit into terms from belay.bulk_action a where a.job = source;
      exit when found;
      select d.retry_of, d.data_deleted_at into earlier from belay.job_done d where d.id = source;
      if not found or earlier.data_deleted_at is not null then
        standing := 'terms_lost';
        return;
      end if;
      source := earlier.retry_of;
    end loop;
    if source is null then
      insert into belay.bulk_action (job) values (p_job);
    else
      insert into belay.bulk_action (job, action_duration, action_reason, max_limit)
      values (p_job, terms.action_duration, terms.action_reason, terms.max_limit);
    end if;
  end if;
  select * into b from belay.bulk_action a where a.job = p_job;
  if b.last_id is null then
    if p_finished then
      select coalesce(max(d.id), 0) into last from belay.job_done d where d.tenant = own.tenant;
    else
      select coalesce(max(j.id), 0) into last from belay.job j where j.tenant = own.tenant;
    end if;
    update belay.bulk_action a set last_id = last, begun_at = clock_timestamp(), updated_at = clock_timestamp() where a.job = p_job
    returning * into b;
  end if;
  tenant := own.tenant; walk_id := b.walk_id; last_id := b.last_id; begun_at := b.begun_at; max_limit := b.max_limit;
  affected_count := b.affected_count; done_count := b.done_count; total := b.total;
end $$;

-- Moves a walk on, under the lock of the job's own row.
create function belay.bulk_advance(p_job bigint, p_from bigint, p_to bigint, p_affected bigint, p_done bigint) returns void language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  update belay.bulk_action a
  set walk_id = p_to, affected_count = a.affected_count + p_affected, done_count = a.done_count + p_done, updated_at = clock_timestamp()
  where a.job = p_job and a.walk_id = p_from;
  if not found then
    -- Cannot happen to whoever holds the lock.
    raise exception 'the walk of job % was moved by somebody else', p_job using errcode = 'serialization_failure';
  end if;
end $$;

-- The next step of `cancel_jobs`, one transaction: up to p_chunk jobs, looking at no more than p_window. Looks for candidates
-- without a lock; locks them and the job's own row in one statement, in ascending id order, so that two walks which contain each
-- other cannot deadlock; then, in later statements, acts on those that still match and moves the walk. When the own row does not
-- stand under this attempt any more nothing happens, so the last thing a cancelled walk did is what its counts say.
create function belay.op_bulk_cancel_step(p_job bigint, p_fence integer, p_worker bigint, p_queue text, p_kind text, p_states belay.job_state[],
  p_created_from timestamptz, p_created_before timestamptz, p_chunk integer, p_window integer,
  out standing text, out affected bigint, out done bigint, out over boolean)
language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  own record;
  b belay.bulk_action;
  r record;
  room bigint := p_chunk;
  found_ids bigint[] := '{}';
  held tid[];
  looked integer := 0;
  walked bigint;
  own_state belay.job_state;
  same boolean;
  n bigint;
begin
  select j.tenant, j.created_by, belay.job_uid(j.id, j.created_at) as uid into own from belay.job j where j.id = p_job;
  select * into b from belay.bulk_action a where a.job = p_job;
  if own.tenant is null or b.last_id is null then
    standing := 'gone';
    return;
  end if;
  if b.max_limit > 0 then
    room := least(room, b.max_limit - b.affected_count);
  end if;
  walked := b.walk_id;
  if room > 0 then
    -- A loop, because it stops reading as soon as there is enough.
    for r in
      select j.id, j.id <> p_job and j.state = any (p_states) and (p_queue is null or j.queue = p_queue) and (p_kind is null or j.kind = p_kind)
             and (p_created_from is null or j.created_at >= p_created_from) and (p_created_before is null or j.created_at < p_created_before) as fits
      from belay.job j where j.tenant = own.tenant and j.id > b.walk_id and j.id <= b.last_id order by j.id limit p_window
    loop
      looked := looked + 1;
      walked := r.id;
      if r.fits then
        found_ids := found_ids || r.id;
        exit when cardinality(found_ids) >= room;
      end if;
    end loop;
    if looked < p_window and cardinality(found_ids) < room then
      walked := b.last_id;
    end if;
  end if;

  select coalesce(array_agg(l.t) filter (where l.id <> p_job), '{}'), max(l.state) filter (where l.id = p_job), bool_or(l.same) filter (where l.id = p_job)
    into held, own_state, same
  from (select y.* from (select u as id from unnest(found_ids || p_job) u order by 1) x
        cross join lateral (
          select j.id, j.ctid as t, j.state, j.fence = p_fence and j.worker = p_worker as same from belay.job j
          where j.id = x.id and (j.id = p_job or (j.state = any (p_states) and (p_queue is null or j.queue = p_queue)))
          for update) y) l;
  standing := belay.bulk_standing(own_state, same);
  if standing <> 'go' then
    return;
  end if;
  select count(*) into n
  from belay.cancel_held(held, own.created_by, coalesce(b.action_reason, 'bulk action ' || own.uid), 'bulk-actions', 'any') c
  where c.outcome in ('cancelled', 'cancelling');
  perform belay.bulk_advance(p_job, b.walk_id, walked, n, cardinality(held));
  affected := b.affected_count + n;
  done := b.done_count + cardinality(held);
  over := walked >= b.last_id or (b.max_limit > 0 and affected >= b.max_limit);
end $$;

-- The next step of `retry_jobs`, one transaction, as above. The targets have finished, so their rows stand in another table: the
-- own row is locked first, then theirs in ascending id order. Bulk actions are never retried: one that repeats others, and those
-- again others, would never end, and one that was stopped would come back. New jobs are made in the order of their unique keys, as
-- everybody does who makes several at once, so that two of them cannot deadlock over keys.
create function belay.op_bulk_retry_step(p_job bigint, p_fence integer, p_worker bigint, p_queue text, p_kind text, p_states belay.job_state[],
  p_created_from timestamptz, p_created_before timestamptz, p_chunk integer, p_window integer,
  out standing text, out affected bigint, out done bigint, out over boolean)
language plpgsql volatile
set search_path = pg_catalog, belay, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  own record;
  b belay.bulk_action;
  r record;
  room bigint := p_chunk;
  found_ids bigint[] := '{}';
  found_at timestamptz[] := '{}';
  held bigint[];
  looked integer := 0;
  walked bigint;
  -- One state that is not the usual end has an index of its own.
  rare boolean := cardinality(p_states) = 1 and p_states[1] <> 'completed';
  batch refcursor;
  n bigint := 0;
  target bigint;
begin
  select j.tenant, j.state, j.created_by, belay.job_uid(j.id, j.created_at) as uid, j.fence = p_fence and j.worker = p_worker as same
    into own from belay.job j where j.id = p_job for update;
  standing := belay.bulk_standing(own.state, own.same);
  if standing <> 'go' then
    return;
  end if;
  select * into b from belay.bulk_action a where a.job = p_job;
  if b.last_id is null then
    standing := 'gone';
    return;
  end if;
  if b.max_limit > 0 then
    room := least(room, b.max_limit - b.affected_count);
  end if;
  walked := b.walk_id;
  if room > 0 then
    if rare then
      open batch no scroll for
        select d.id, d.finished_at, d.data_deleted_at is null and d.finished_at <= b.begun_at
               and d.kind not in ('cancel_jobs', 'retry_jobs')
               and (p_queue is null or d.queue = p_queue) and (p_kind is null or d.kind = p_kind)
               and (p_created_from is null or d.created_at >= p_created_from) and (p_created_before is null or d.created_at < p_created_before) as fits
        from belay.job_done d where d.tenant = own.tenant and d.state = p_states[1] and d.state <> 'completed' and d.id > b.walk_id and d.id <= b.last_id
        order by d.id limit p_window;
    else
      open batch no scroll for
        select d.id, d.finished_at, d.state = any (p_states) and d.data_deleted_at is null and d.finished_at <= b.begun_at
               and d.kind not in ('cancel_jobs', 'retry_jobs')
               and (p_queue is null or d.queue = p_queue) and (p_kind is null or d.kind = p_kind)
               and (p_created_from is null or d.created_at >= p_created_from) and (p_created_before is null or d.created_at < p_created_before) as fits
        from belay.job_done d where d.tenant = own.tenant and d.id > b.walk_id and d.id <= b.last_id
        order by d.id limit p_window;
    end if;
    loop
      fetch batch into r;
      exit when not found;
      looked := looked + 1;
      walked := r.id;
      if r.fits then
        found_ids := found_ids || r.id;
        found_at := found_at || r.finished_at;
        exit when cardinality(found_ids) >= room;
      end if;
    end loop;
    close batch;
    if looked < p_window and cardinality(found_ids) < room then
      walked := b.last_id;
    end if;
  end if;

  held := array(
    select l.id
    from (select y.* from (select u.id, u.at from unnest(found_ids, found_at) u (id, at) order by u.id) x
          cross join lateral (
            select d.id, d.unique_key, d.kind from belay.job_done d where d.id = x.id and d.finished_at = x.at and d.data_deleted_at is null for update) y) l
    where exists (select from belay.kind k where k.name = l.kind)
    order by l.unique_key nulls first, l.id);
  foreach target in array held loop
    select n + count(*) into n
    from belay.op_retry(target, own.tenant, own.created_by, coalesce(b.action_reason, 'bulk action ' || own.uid), 'bulk-actions') o
    where o.outcome = 'retried';
  end loop;
  perform belay.bulk_advance(p_job, b.walk_id, walked, n, cardinality(held));
  affected := b.affected_count + n;
  done := b.done_count + cardinality(held);
  over := walked >= b.last_id or (b.max_limit > 0 and affected >= b.max_limit);
end $$;

-- For the daemon alone.
revoke all on all functions in schema belay from public;
