-- The SQL API: functions for programs that enqueue and cancel inside their own transactions. They commit or roll back
-- with the caller, run with the owner's rights and a fixed search_path, and are granted to the role belay_client, which
-- can touch no table. Under REPEATABLE READ they raise 40001 when a job moved after the caller's snapshot: try again.

do $$
begin
  if not exists (select from pg_roles where rolname = 'belay_client') then
    create role belay_client nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;
  when insufficient_privilege then
    raise warning 'the role belay_client could not be created; ask an administrator to create it, then run: belay migrate';
end $$;

create function belay.caller(p_actor text) returns text language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if length(p_actor) > 200 then
    raise exception 'actor has % characters, at most 200 are allowed', length(p_actor) using errcode = 'check_violation', constraint = 'belay_actor';
  end if;
  return coalesce(nullif(p_actor, ''), session_user::text);
end $$;

create function belay.checked_reason(p_reason text) returns text language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if length(p_reason) > 1000 then
    raise exception 'reason has % characters, at most 1000 are allowed', length(p_reason) using errcode = 'check_violation', constraint = 'belay_reason';
  end if;
  return p_reason;
end $$;

-- A payload as a caller of SQL gives it: the limit is on its text.
create function belay.checked_payload(p_payload jsonb) returns jsonb language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Also of a small value: a number like 1e-16000 is short as stored and long as text.
  if octet_length(p_payload::text) > 1048576 then
    raise exception 'the payload has % bytes, more than the 1048576 (1 MiB) allowed', octet_length(p_payload::text)
      using errcode = 'check_violation', constraint = 'belay_payload_size';
  end if;
  return p_payload;
end $$;

create function belay.small(p_name text, p_value integer) returns smallint language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_value not between -32768 and 32767 then
    raise exception '% % is out of range', p_name, p_value using errcode = 'check_violation', constraint = 'belay_' || p_name;
  end if;
  return p_value::smallint;
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

create function belay.enqueue_many(jobs jsonb, tenant integer default 1, actor text default null)
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
  select array_agg(x.kind order by n) as kinds, array_agg(belay.checked_payload(coalesce(x.payload, '{}')) order by n) as payloads, array_agg(x.queue order by n) as queues,
         array_agg(belay.small('priority', x.priority) order by n) as priorities, array_agg(x.run_at order by n) as run_ats,
         array_agg(belay.small('max_attempts', x.max_attempts) order by n) as attempts, array_agg(x.timeout_s order by n) as timeouts,
         array_agg(x.unique_key order by n) as ukeys, bool_or(x.kind is null) as no_kind
    into r
    from jsonb_array_elements(jobs) with ordinality e (j, n)
         cross join lateral jsonb_to_record(e.j) x (kind text, payload jsonb, queue text, priority integer, run_at timestamptz,
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
comment on function belay.enqueue_many is 'Enqueues up to 10000 jobs, given as a JSON array of objects with the argument names of belay.enqueue. Answers in request order.';

create function belay.cancel_many(ids bigint[], reason text default null, actor text default null)
returns table (ord integer, id bigint, was belay.job_state, state belay.job_state, outcome text) language plpgsql volatile security definer
set search_path = pg_catalog, belay, pg_temp
as $$
#variable_conflict use_column
declare
  who text := belay.caller(actor);
  why text := belay.checked_reason(reason);
begin
  if cardinality(ids) > 500 then
    raise exception '% ids at once, at most 500 are allowed', cardinality(ids)
      using errcode = 'check_violation', constraint = 'belay_cancel_many';
  end if;
  return query
    with answers as materialized (select * from belay.op_cancel(ids, null, who, why, 'sql', 'any'))
    select x.ord::integer, x.id, case when x.nth = 1 then a.was else a.state end, a.state,
           case when a.id is null then 'missing' when x.nth > 1 and a.outcome in ('cancelled', 'cancelling') then 'already' else a.outcome end
    from (select u.id, u.ord, row_number() over (partition by u.id order by u.ord) as nth
          from unnest(ids) with ordinality u (id, ord)) x
    left join answers a on a.id = x.id
    order by x.ord;
end $$;
comment on function belay.cancel_many is
  'Cancels up to 500 jobs in one step and answers one row per requested id, in request order: cancelled, cancelling, already, refused or missing.';

create function belay.cancel(id bigint, reason text default null, actor text default null)
returns table (job bigint, was belay.job_state, state belay.job_state, outcome text) language sql volatile security definer
set search_path = pg_catalog, belay, pg_temp
as $$
  select m.id, m.was, m.state, m.outcome from belay.cancel_many(array[$1], $2, $3) m
$$;
comment on function belay.cancel is
  'Cancels a job. cancelled: it never started and never will. cancelling: its worker is told to stop. already: cancelled before. refused: it had finished. missing: no such job.';

create function belay.retry(id bigint, reason text default null, actor text default null)
returns bigint language plpgsql volatile security definer
set search_path = pg_catalog, belay, pg_temp
as $$
#variable_conflict use_variable
declare
  r record;
begin
  select * into r from belay.op_retry(id, null, belay.caller(actor), belay.checked_reason(reason), 'sql');
  if r.outcome <> 'retried' then
    raise exception 'job % cannot be retried: %', id,
      case r.outcome when 'missing' then 'there is no such job' when 'unfinished' then format('it has not finished, it is %s', r.was)
        when 'data_deleted' then 'its data was deleted' else 'an unfinished job holds its unique key' end
      using errcode = 'object_not_in_prerequisite_state', constraint = 'belay_retry';
  end if;
  return r.id;
end $$;
comment on function belay.retry is 'Enqueues a new job with the content of a finished one and answers the new id.';

create function belay.status(id bigint)
returns table (job bigint, uid uuid, key text, tenant integer, kind text, queue text, priority smallint, state belay.job_state,
  attempt smallint, max_attempts smallint, payload jsonb, error text, retry_of bigint, created_at timestamptz, run_at timestamptz,
  started_at timestamptz, finished_at timestamptz, cancel_at timestamptz, cancel_actor text, cancel_reason text, cancel_via text, cancel_rung text)
language sql stable security definer
set search_path = pg_catalog, belay, pg_temp
as $$
  select j.id, belay.job_uid(j.id, j.created_at), belay.job_key(j.id, j.created_at), j.tenant, j.kind, j.queue, j.priority, j.state,
    j.attempt, j.max_attempts, j.payload, j.last_error, j.retry_of, j.created_at, j.run_at, j.started_at, null::timestamptz,
    j.cancel_at, j.cancel_actor, j.cancel_reason, j.cancel_via, null::text
  from belay.job j where j.id = $1
  union all
  select d.id, belay.job_uid(d.id, d.created_at), belay.job_key(d.id, d.created_at), d.tenant, d.kind, d.queue, d.priority, d.state,
    d.attempt, d.max_attempts, d.payload, d.last_error, d.retry_of, d.created_at, d.run_at, d.started_at, d.finished_at,
    d.cancel_at, d.cancel_actor, d.cancel_reason, d.cancel_via, d.cancel_rung::text
  from belay.job_done d where d.id = $1
$$;
comment on function belay.status is 'What is known of a job, finished or not. No row: no such job.';

revoke all on all functions in schema belay from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'belay_client') then
    grant usage on schema belay to belay_client;
    grant execute on function
      belay.enqueue(text, jsonb, text, integer, timestamptz, integer, integer, text, text, integer, text),
      belay.enqueue_many(jsonb, integer, text), belay.cancel(bigint, text, text), belay.cancel_many(bigint[], text, text),
      belay.retry(bigint, text, text), belay.status(bigint), belay.job_uid(bigint, timestamptz), belay.job_key(bigint, timestamptz)
      to belay_client;
  end if;
end $$;
