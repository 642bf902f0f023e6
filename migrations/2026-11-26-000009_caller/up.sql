-- Who calls the SQL functions goes on record in any case. What a program says of itself is added, and cannot stand in its place.
create or replace function belay.caller(p_actor text) returns text language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if length(p_actor) > 200 then
    raise exception 'actor has % characters, at most 200 are allowed', length(p_actor) using errcode = 'check_violation', constraint = 'belay_actor';
  end if;
  if coalesce(p_actor, '') in ('', session_user::text) then
    return session_user::text;
  end if;
  return p_actor || ' (login ' || session_user::text || ')';
end $$;
