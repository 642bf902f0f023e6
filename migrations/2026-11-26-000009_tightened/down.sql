alter table belay.tenant drop constraint tenant_name_is_no_id;
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
create or replace function belay.checked_payload(p_payload jsonb) returns jsonb language plpgsql immutable
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
create or replace function belay.caller(p_actor text) returns text language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if length(p_actor) > 200 then
    raise exception 'actor has % characters, at most 200 are allowed', length(p_actor) using errcode = 'check_violation', constraint = 'belay_actor';
  end if;
  return coalesce(nullif(p_actor, ''), session_user::text);
end $$;
