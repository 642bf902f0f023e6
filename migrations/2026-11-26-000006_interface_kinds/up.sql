-- Kinds that nothing in the daemon runs. Their jobs wait in line until a worker is configured with a kind of that name, which
-- then takes this row over, or until an external worker starts them one by one.
--   prospecting: jobs of that interface whose type is no registered kind.
--   external: jobs that programs outside start and report on through the interface `jobs`.
insert into belay.kind (name, executor) values ('external', 'none'), ('prospecting', 'none')
on conflict (name) do nothing;
