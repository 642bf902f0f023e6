comment on table belay.line is
  'The lines in which jobs wait: one per queue, kind and priority in use. Workers ask for lines by name, so that they claim only kinds they can run.';
comment on table belay.queue is 'Queues that ever held a job, registered by the first enqueue.';

drop trigger tenant_number on belay.tenant;
drop trigger tenant_kept on belay.tenant;

-- Lines stay, as they do when their last job has gone, but for those of kinds that no job ever had: those kinds could otherwise not go.
alter table belay.kind drop constraint kind_line;
drop trigger kind_line on belay.kind;
drop function belay.kind_line();

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

delete from belay.line l
where not exists (select from belay.job j where j.queue = l.queue and j.kind = l.kind and j.priority = l.priority)
  and not exists (select from belay.job_done d where d.queue = l.queue and d.kind = l.kind and d.priority = l.priority);
