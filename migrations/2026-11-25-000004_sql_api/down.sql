drop function belay.status(bigint);
drop function belay.retry(bigint, text, text);
drop function belay.cancel(bigint, text, text);
drop function belay.cancel_many(bigint[], text, text);
drop function belay.enqueue_many(jsonb, integer, text);
drop function belay.enqueue(text, jsonb, text, integer, timestamptz, integer, integer, text, text, integer, text);
drop function belay.small(text, integer);
drop function belay.checked_payload(jsonb);
drop function belay.checked_reason(text);
drop function belay.caller(text);
do $$
begin
  if exists (select from pg_roles where rolname = 'belay_client') then
    revoke all on schema belay from belay_client;
  end if;
end $$;
-- The role stays: other databases of the cluster may use it.
