-- What the compatibility interfaces need: logins that end, and what they keep of a job beside its payload.

create table belay.session (
  id bigint generated always as identity primary key,
  hash bytea not null unique,
  api_key integer not null references belay.api_key on delete cascade,
  via text not null,
  scopes text[],
  idle_s integer,
  created_at timestamptz not null default now(),
  used_at timestamptz not null default now(),
  ends_at timestamptz not null,
  constraint session_hash check (octet_length(hash) = 32),
  constraint session_idle check (idle_s is null or idle_s between 1 and 31536000)
) with (fillfactor = 50);
comment on table belay.session is
  'Logins of an API key through one interface, stored as SHA-256 of the session''s token. Ends at ends_at, after idle_s seconds without use, or with its key.';
comment on column belay.session.scopes is 'What it may do at most; null: whatever its key may.';
create index session_end on belay.session (ends_at);
create index session_key on belay.session (api_key);

create table belay.job_attributes (
  job bigint primary key,
  data jsonb not null
);
comment on table belay.job_attributes is
  'Members of a request that its interface shows again and the handler does not get. Content: it goes when the data of the job is deleted.';
