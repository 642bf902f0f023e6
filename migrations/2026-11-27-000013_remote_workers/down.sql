alter table belay.worker drop column key, drop column tenants, drop column drain, drop column checks;
