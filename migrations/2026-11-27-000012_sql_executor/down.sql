drop function belay.sql_settle(bigint, integer, bigint, bytea);
drop function belay.sql_token(bigint, integer, bigint);
drop table belay.sql_secret;
do $$
begin
  if exists (select from pg_roles where rolname = 'belay_sql') then
    revoke all on schema belay from belay_sql;
  end if;
end $$;
-- The role stays: other databases of the cluster may use it.
