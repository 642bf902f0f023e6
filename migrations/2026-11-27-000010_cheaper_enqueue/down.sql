lock table belay.kind, belay.line, belay.job in access exclusive mode;

comment on table belay.sleeper is 'Workers that wait for a notification. Enqueue notifies only while there is one, so nobody pays for it under load.';
create or replace function belay.wake() returns void language plpgsql
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

drop trigger tenant_number on belay.tenant;
drop trigger tenant_kept on belay.tenant;

drop trigger line_kept on belay.line;
drop function belay.line_kept();
drop trigger kind_line on belay.kind;
drop function belay.kind_line();
alter table belay.kind drop column has_line;

create index job_ingest on belay.job (id) where kind = 'ingest';

alter table belay.job drop constraint job_cancel_marked,
  add constraint job_id_positive check (id > 0),
  add constraint job_cancel_marked check (state < 'completed' and (cancel_at is null) = (state <> 'cancelling'));

drop trigger job_created on belay.job;
create trigger job_created before insert on belay.job for each row
  when (new.state <> 'queued' or new.ticket is null or new.upload
        or num_nonnulls(new.worker, new.started_at, new.claimed_at, new.suspended_at, new.cancel_actor, new.cancel_via) > 0)
  execute function belay.job_guard();
drop function belay.job_birth();
drop function belay.check_birth(belay.job);
