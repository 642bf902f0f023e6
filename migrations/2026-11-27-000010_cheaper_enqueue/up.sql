-- An ordinary enqueue costs less. Taken apart in a loop inside the server, an INSERT into `job` paid more for its walls than for the
-- row: the WHEN clause of its trigger and every CHECK are read anew by each statement. Walls and promises stay what they were.

-- In the order in which an enqueue takes them, so that clients wait for this and not against it.
lock table belay.kind, belay.line, belay.job in access exclusive mode;

-- Creation is judged inside a function, without a WHEN clause and without settings of its own, both of which cost more than the
-- function does. Therefore operators of the ordinary path are named with their schema.
create function belay.job_birth() returns trigger language plpgsql
as $$
begin
  if new.state operator(pg_catalog.=) 'queued'::belay.job_state and new.ticket is not null and not new.upload
     and pg_catalog.num_nonnulls(new.worker, new.started_at, new.claimed_at, new.suspended_at, new.cancel_actor, new.cancel_via)
         operator(pg_catalog.=) 0
     and new.id operator(pg_catalog.>) 0 then
    return new;
  end if;
  perform belay.check_birth(new);
  return new;
end $$;
comment on function belay.job_birth is 'The wall around creation: a job begins as open, scheduled or queued, with the columns of that state and no others.';

-- Whatever is not the ordinary job, looked at for the sake of the answer.
create function belay.check_birth(j belay.job) returns void language plpgsql
set search_path = pg_catalog, belay, pg_temp
as $$
begin
  if j.id <= 0 then
    raise exception 'job %: the number of a job is positive', j.id
      using errcode = 'check_violation', constraint = 'job_id_positive', schema = 'belay', table = 'job';
  end if;
  if j.state > 'queued' then
    raise exception 'job %: a job cannot be created as %', j.id, j.state
      using errcode = 'check_violation', constraint = 'job_transition', schema = 'belay', table = 'job';
  end if;
  if (j.ticket is null) = (j.state < 'queued') and j.upload = (j.state = 'open')
     and num_nonnulls(j.worker, j.started_at, j.claimed_at, j.suspended_at, j.cancel_actor, j.cancel_via) = 0 then
    return;
  end if;
  raise exception 'job %: the columns of this row do not fit its state %', j.id, j.state
    using errcode = 'check_violation', constraint = 'job_shape', schema = 'belay', table = 'job',
          hint = 'A new job has a ticket when it is queued and upload while it is open; what belongs to a run or a cancel comes later.';
end $$;

drop trigger job_created on belay.job;
create trigger job_created before insert on belay.job for each row execute function belay.job_birth();

-- The mark of a cancel and the state, whoever writes and also where triggers do not fire: every state up to `cancelling` comes before
-- the finished ones, which no row here may have. That a number is positive is decided at creation, and numbers never change.
alter table belay.job drop constraint job_id_positive, drop constraint job_cancel_marked,
  add constraint job_cancel_marked check (case when cancel_at is null then state < 'cancelling' else state = 'cancelling' end);

-- The expiry of ingest jobs looks through all unfinished jobs once an hour; every enqueue paid for the index that spared it that.
drop index if exists belay.job_ingest;

-- The usual line of a kind is that of a job which names neither queue nor priority. Once it is there, such a job needs the row of its
-- kind and nothing else. Only the first job of a line makes it, so whoever registers a kind waits for nobody.
alter table belay.kind add column has_line boolean not null default false;
comment on column belay.kind.has_line is 'Whether the usual line, that of queue and priority, is known to exist. Daemons look every few seconds; lines never go.';
create function belay.kind_line() returns trigger language plpgsql
set search_path = pg_catalog, belay, pg_temp
as $$
begin
  new.has_line := exists (select from belay.line l where l.queue = new.queue and l.kind = new.name and l.priority = new.priority);
  return new;
end $$;
create trigger kind_line before insert or update on belay.kind for each row execute function belay.kind_line();
update belay.kind set has_line = true;

create function belay.line_kept() returns trigger language plpgsql
set search_path = pg_catalog, belay, pg_temp
as $$
begin
  if exists (select from belay.kind k where k.queue = old.queue and k.name = old.kind and k.priority = old.priority and k.has_line) then
    raise exception 'line %/%/%: the usual line of a kind stays', old.queue, old.kind, old.priority
      using errcode = 'check_violation', constraint = 'line_kept', schema = 'belay', table = 'line',
            hint = 'Give the kind another queue or priority first.';
  end if;
  return old;
end $$;
create trigger line_kept before delete or update on belay.line for each row execute function belay.line_kept();

-- The clock of notifications alone tells an enqueue whether to look any further, so it also goes while nobody sleeps: then it is looked
-- at 200 times a second at most whether somebody does. Whoever goes to sleep sets it to zero once that is committed, and the next
-- enqueue notifies. A transaction with an old snapshot may not see the sleeper and leaves the clock to those who do.
create or replace function belay.wake() returns void language plpgsql
set search_path = pg_catalog, belay, pg_temp
as $$
declare
  ms bigint := extract(epoch from clock_timestamp()) * 1000;
begin
  if ms - (select last_value from belay.wake_clock) between 0 and 4 then
    return;
  end if;
  if exists (select from belay.sleeper) then
    perform setval('belay.wake_clock', ms), pg_notify('belay', 'wake');
  elsif current_setting('transaction_isolation') = 'read committed' then
    perform setval('belay.wake_clock', ms);
    -- Who went to sleep between the look and the mark may have reset the clock before it.
    if exists (select from belay.sleeper) then
      perform pg_notify('belay', 'wake');
    end if;
  end if;
end $$;
comment on table belay.sleeper is 'Workers that wait for a notification. Nobody notifies while there is none, so nobody pays for it under load.';

-- Jobs carry their tenant without a foreign key, and an enqueue for the first one does not look whether it exists.
create trigger tenant_kept before delete on belay.tenant for each row
  execute function belay.refuse_rewrite('tenants are never removed, tenant');
create trigger tenant_number before update of id on belay.tenant for each row when (old.id <> new.id)
  execute function belay.refuse_rewrite('the number of a tenant never changes, tenant');

revoke all on function belay.job_birth(), belay.check_birth(belay.job), belay.kind_line(), belay.line_kept() from public;
