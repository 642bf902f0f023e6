drop function belay.op_bulk_retry_step(bigint, integer, bigint, text, text, belay.job_state[], timestamptz, timestamptz, integer, integer);
drop function belay.op_bulk_cancel_step(bigint, integer, bigint, text, text, belay.job_state[], timestamptz, timestamptz, integer, integer);
drop function belay.bulk_advance(bigint, bigint, bigint, bigint, bigint);
drop function belay.op_bulk_begin(bigint, integer, bigint, boolean);
drop function belay.bulk_standing(belay.job_state, boolean);
delete from belay.line where kind in ('cancel_jobs', 'retry_jobs');
delete from belay.kind where name in ('cancel_jobs', 'retry_jobs');
drop table belay.bulk_action;
