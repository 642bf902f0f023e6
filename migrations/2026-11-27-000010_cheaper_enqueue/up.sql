-- An ordinary enqueue costs less. Taken apart in a loop inside the server, an INSERT into `job` paid more for its walls than for the
-- row: the WHEN clause of its trigger and every CHECK are read anew by each statement. Walls and promises stay what they were.

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

-- What the two CHECKs said beside this: a row is never in a finished state and its number is positive. Both are decided at creation,
-- and the triggers of UPDATE let no row become either.
alter table belay.job drop constraint job_id_positive, drop constraint job_cancel_marked,
  add constraint job_cancel_marked check ((cancel_at is null) = (state <> 'cancelling'));

-- The usual line of every kind exists, so that a job that names neither queue nor priority needs the row of its kind and nothing else.
create function belay.kind_line() returns trigger language plpgsql
set search_path = pg_catalog, belay, pg_temp
as $$
begin
  insert into belay.queue (name) values (new.queue) on conflict do nothing;
  insert into belay.line (queue, kind, priority) values (new.queue, new.name, new.priority) on conflict do nothing;
  return null;
end $$;
insert into belay.queue (name) select distinct queue from belay.kind order by queue on conflict do nothing;
insert into belay.line (queue, kind, priority) select queue, name, priority from belay.kind order by name on conflict do nothing;
create trigger kind_line after insert or update of queue, priority on belay.kind for each row execute function belay.kind_line();
alter table belay.kind add constraint kind_line foreign key (queue, name, priority) references belay.line (queue, kind, priority)
  deferrable initially deferred;

-- Jobs name their tenant without a foreign key, and an enqueue for the first one does not look whether it exists.
create trigger tenant_kept before delete on belay.tenant for each row
  execute function belay.refuse_rewrite('tenants are never removed, tenant');
create trigger tenant_number before update of id on belay.tenant for each row when (old.id <> new.id)
  execute function belay.refuse_rewrite('the number of a tenant never changes, tenant');

comment on table belay.queue is 'Queues that ever held a job or are the usual one of a kind.';
comment on table belay.line is
  'The lines in which jobs wait: one per queue, kind and priority in use, and the usual one of every kind. Workers ask for lines by name, so that they claim only kinds they can run.';

revoke all on function belay.job_birth(), belay.check_birth(belay.job), belay.kind_line() from public;
