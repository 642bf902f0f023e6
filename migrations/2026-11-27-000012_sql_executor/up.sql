-- What a statement of the executor `sql` needs to commit together with the end of its job: one function, for a role of its own.

do $$
begin
  if not exists (select from pg_roles where rolname = 'belay_sql') then
    create role belay_sql nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;
  when insufficient_privilege then
    raise warning 'the role belay_sql could not be created; jobs of the executor "sql" cannot use this database until an administrator has created it and has run, as the owner of the schema belay: grant usage on schema belay to belay_sql; grant execute on function belay.sql_settle(bigint, integer, bigint, bytea) to belay_sql';
end $$;

create table belay.sql_secret (
  id boolean primary key default true constraint sql_secret_one check (id),
  secret bytea not null constraint sql_secret_length check (octet_length(secret) = 32)
);
comment on table belay.sql_secret is 'One row: the key of the tokens of belay.sql_settle. Only the owner reads it.';
revoke all on table belay.sql_secret from public;
insert into belay.sql_secret (secret) values (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- What is hashed has a fixed length, so that no token can be made from another one.
create function belay.sql_token(p_job bigint, p_fence integer, p_worker bigint) returns bytea language plpgsql stable
set search_path = pg_catalog, belay, pg_temp
as $$
begin
  return (select sha256(s.secret || int8send(p_job) || int4send(p_fence) || int8send(p_worker)) from belay.sql_secret s);
end $$;

-- Whoever runs a statement of a job may call this, also in that statement. The daemon sends the token when the statement is over, so
-- that only the daemon can.
create function belay.sql_settle(p_job bigint, p_fence integer, p_worker bigint, p_token bytea) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, belay, pg_temp
as $$
declare
  s belay.job_state;
begin
  if p_token is null or p_token is distinct from belay.sql_token(p_job, p_fence, p_worker) then
    raise exception 'this is not the token of that attempt; belay.sql_settle is for the daemon alone' using errcode = 'insufficient_privilege';
  end if;
  -- A cancel, or a rescue, that is under way comes first; what it did is seen by the locked row and by the next statement.
  select j.state into s from belay.job j where j.id = p_job and j.fence = p_fence and j.worker = p_worker for update;
  if not found then
    return 'stale';
  elsif s <> 'running' then
    return s::text;
  end if;
  with d as (delete from belay.job j where j.id = p_job returning j.*)
  insert into belay.job_done (id, worker, run_at, created_at, started_at, claimed_at, cancel_at, retry_of, tenant, was, state, fence, timeout_s, job_timeout_s,
    priority, attempt, max_attempts, queue, kind, created_by, created_via, unique_key, cancel_actor, cancel_reason, cancel_via, last_error, payload)
  select id, worker, run_at, created_at, started_at, claimed_at, cancel_at, retry_of, tenant, state, 'completed', fence, timeout_s, job_timeout_s,
    priority, attempt, max_attempts, queue, kind, created_by, created_via, unique_key, cancel_actor, cancel_reason, cancel_via, last_error, payload
  from d;
  return 'completed';
end $$;
comment on function belay.sql_settle is
  'Ends a running job as completed in the transaction of its effect. completed: done, commit. Any other word: the job is not that attempt''s to complete; roll back.';

revoke all on function belay.sql_token(bigint, integer, bigint), belay.sql_settle(bigint, integer, bigint, bytea) from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'belay_sql') then
    grant usage on schema belay to belay_sql;
    grant execute on function belay.sql_settle(bigint, integer, bigint, bytea) to belay_sql;
  end if;
end $$;
