-- The second wall: whatever statement is run by whomever, an illegal transition cannot be committed.

-- The one table of legal transitions, as data. `was` is null for creation. A test proves it equal to the Rust constant
-- and to what the triggers and constraints really let through.
create function belay.transitions() returns table (was belay.job_state, state belay.job_state)
language sql immutable parallel safe
set search_path = pg_catalog, belay, pg_temp
as $$
  values (null::belay.job_state, 'open'::belay.job_state), (null, 'scheduled'), (null, 'queued'),
    ('open', 'scheduled'), ('open', 'queued'), ('open', 'cancelled'),
    ('scheduled', 'queued'), ('scheduled', 'cancelled'),
    ('queued', 'running'), ('queued', 'cancelled'),
    ('running', 'scheduled'), ('running', 'queued'), ('running', 'suspended'), ('running', 'cancelling'),
    ('running', 'completed'), ('running', 'failed'),
    ('suspended', 'running'), ('suspended', 'queued'), ('suspended', 'cancelling'),
    ('cancelling', 'cancelled')
$$;

-- Transitions and the shape of a row, by state. What is legal is decided in the WHEN clauses: per row they cost a tenth of a
-- function call. Their text is read anew by every statement, so that of the INSERT is short. The function is only called for what
-- is not ordinary, and says what is wrong.
create function belay.job_guard() returns trigger language plpgsql
set search_path = pg_catalog, belay, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    if new.state > 'queued' then
      raise exception 'job %: a job cannot be created as %', new.id, new.state
        using errcode = 'check_violation', constraint = 'job_transition', schema = 'belay', table = 'job';
    end if;
  elsif new.state <> old.state and (case old.state
      when 'queued' then new.state <> 'running'
      when 'running' then new.state < 'scheduled' or new.state > 'cancelling'
      when 'open' then new.state > 'queued'
      when 'scheduled' then new.state <> 'queued'
      when 'suspended' then new.state < 'queued' or new.state > 'cancelling'
      else true
    end) then
    raise exception 'job %: a job cannot go from % to %', old.id, old.state, new.state
      using errcode = 'check_violation', constraint = 'job_transition', schema = 'belay', table = 'job';
  end if;
  if (new.ticket is null) = (new.state < 'queued')
     and (new.worker is null) = (new.state < 'running')
     and (new.worker is null or new.claimed_at is not null)
     and (new.claimed_at is null) = (new.started_at is null)
     and new.upload = (new.state = 'open')
     and (new.suspended_at is null) = (new.state <> 'suspended')
     and (new.cancel_at is null) = (new.cancel_actor is null)
     and (new.cancel_at is null) = (new.cancel_via is null) then
    return new;
  end if;
  raise exception 'job %: the columns of this row do not fit its state %', new.id, new.state
    using errcode = 'check_violation', constraint = 'job_shape', schema = 'belay', table = 'job',
          hint = 'ticket from queued on; worker from running on; upload while open; suspended_at while suspended; cancel marks while cancelling';
end $$;

create trigger job_created before insert on belay.job for each row
  when (new.state <> 'queued' or new.ticket is null or new.upload
        or num_nonnulls(new.worker, new.started_at, new.claimed_at, new.suspended_at, new.cancel_actor, new.cancel_via) > 0)
  execute function belay.job_guard();

create trigger job_guard before update on belay.job for each row
  when (not (
    (new.state = old.state or case old.state
       when 'queued' then new.state = 'running'
       when 'running' then new.state between 'scheduled' and 'cancelling'
       when 'open' then new.state <= 'queued'
       when 'scheduled' then new.state = 'queued'
       when 'suspended' then new.state between 'queued' and 'cancelling'
       else false
     end)
    and (new.ticket is null) = (new.state < 'queued')
    and (new.worker is null) = (new.state < 'running')
    and (new.worker is null or new.claimed_at is not null)
    and (new.claimed_at is null) = (new.started_at is null)
    and new.upload = (new.state = 'open')
    and (new.suspended_at is null) = (new.state <> 'suspended')
    and (new.cancel_at is null) = (new.cancel_actor is null)
    and (new.cancel_at is null) = (new.cancel_via is null)))
  execute function belay.job_guard();

-- Facts that no transition may change: who the job is, and the first cancel's mark.
create function belay.refuse_rewrite() returns trigger language plpgsql
set search_path = pg_catalog, belay, pg_temp
as $$
begin
  raise exception '%: %', tg_argv[0], coalesce(old.id::text, '')
    using errcode = 'check_violation', constraint = tg_name, schema = 'belay', table = tg_table_name;
end $$;

create trigger job_identity before update of id, tenant, created_at on belay.job for each row
  when (old.id <> new.id or old.tenant <> new.tenant or old.created_at <> new.created_at)
  execute function belay.refuse_rewrite('number, tenant and creation time of a job never change, job');

create trigger job_fence before update of fence on belay.job for each row
  when (new.fence < old.fence)
  execute function belay.refuse_rewrite('the fence of a job never falls, job');

create trigger job_first_start before update of started_at on belay.job for each row
  when (old.started_at <> new.started_at or (old.started_at is not null and new.started_at is null))
  execute function belay.refuse_rewrite('the first start of a job is never rewritten, job');

create trigger job_first_cancel before update of cancel_at, cancel_actor, cancel_reason, cancel_via on belay.job for each row
  when (old.cancel_at is not null and (new.cancel_at, new.cancel_actor, new.cancel_reason, new.cancel_via)
        is distinct from (old.cancel_at, old.cancel_actor, old.cancel_reason, old.cancel_via))
  execute function belay.refuse_rewrite('the first cancel of a job is never rewritten, job');

-- Only the content of a finished job can go.
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

create trigger job_done_kept before delete on belay.job_done for each row
  execute function belay.refuse_rewrite('finished jobs are removed by dropping whole partitions only, job');

create trigger job_event_append_only before update or delete on belay.job_event for each row
  execute function belay.refuse_rewrite('job_event is append-only, event');

-- Partitions. There is no DEFAULT partition: it would forbid DETACH .. CONCURRENTLY and lock every ATTACH.
-- A node keeps 14 days and two months prepared and reports itself unready when tomorrow's is missing; a completion
-- would then fail and be retried, and nothing is lost.
create function belay.ensure_partition(p_table text, p_name text, p_from date, p_to date) returns boolean language plpgsql
set search_path = pg_catalog, belay, pg_temp
set timezone = 'UTC'
as $$
begin
  if to_regclass(format('belay.%I', p_name)) is not null then
    return false;
  end if;
  execute format('create table belay.%I (like belay.%I including defaults including constraints including generated)', p_name, p_table);
  execute format('alter table belay.%I attach partition belay.%I for values from (%L) to (%L)', p_table, p_name, p_from, p_to);
  return true;
end $$;

-- Makes the partitions of `job_done` from today to `p_days` days ahead and those of `job_event` for this month and the
-- next two, and answers how many were new. Days are UTC days. One caller at a time; others wait at the lock.
create function belay.ensure_partitions(p_days integer default 14) returns integer language plpgsql
set search_path = pg_catalog, belay, pg_temp
set timezone = 'UTC'
as $$
declare
  made integer := 0;
  today date := (now() at time zone 'UTC')::date;
  d date;
begin
  perform pg_advisory_xact_lock(hashtext('belay.ensure_partitions'));
  for i in -1..p_days loop
    d := today + i;
    if belay.ensure_partition('job_done', 'job_done_' || to_char(d, 'YYYYMMDD'), d, d + 1) then made := made + 1; end if;
  end loop;
  for i in 0..2 loop
    d := (date_trunc('month', today::timestamp) + make_interval(months => i))::date;
    if belay.ensure_partition('job_event', 'job_event_' || to_char(d, 'YYYYMM'), d, (d + interval '1 month')::date) then made := made + 1; end if;
  end loop;
  return made;
end $$;

select belay.ensure_partitions();
