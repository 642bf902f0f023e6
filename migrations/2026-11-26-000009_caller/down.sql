create or replace function belay.caller(p_actor text) returns text language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if length(p_actor) > 200 then
    raise exception 'actor has % characters, at most 200 are allowed', length(p_actor) using errcode = 'check_violation', constraint = 'belay_actor';
  end if;
  return coalesce(nullif(p_actor, ''), session_user::text);
end $$;
