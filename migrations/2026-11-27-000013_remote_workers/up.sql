-- Workers elsewhere, which claim and report over HTTP. Each belongs to the API key that registered it.

alter table belay.worker
  add column key text,
  add column tenants integer[],
  add column drain boolean not null default false,
  add column checks integer not null default 0;
comment on column belay.worker.key is 'Name of the API key that a remote worker belongs to; null for the workers of daemons.';
comment on column belay.worker.tenants is 'Tenants whose jobs a remote worker gets; null for all.';
comment on column belay.worker.drain is 'Set by an operator who wants the worker to claim nothing more. It is told with every beat.';
comment on column belay.worker.checks is
  'How often a remote worker asked for a check of what it holds. A claim carries the number it began with, so that one whose client has left takes nothing after that.';
