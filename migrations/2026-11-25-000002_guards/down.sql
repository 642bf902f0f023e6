drop trigger job_event_append_only on belay.job_event;
drop trigger job_done_kept on belay.job_done;
drop trigger job_done_final on belay.job_done;
drop trigger job_first_cancel on belay.job;
drop trigger job_first_start on belay.job;
drop trigger job_fence on belay.job;
drop trigger job_identity on belay.job;
drop trigger job_guard on belay.job;
drop trigger job_created on belay.job;
drop function belay.ensure_partitions(integer);
drop function belay.ensure_partition(text, text, date, date);
drop function belay.refuse_rewrite();
drop function belay.job_guard();
drop function belay.transitions();
-- The partitions hold data; they go with their tables.
