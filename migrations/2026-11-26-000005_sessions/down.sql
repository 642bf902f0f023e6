drop table belay.job_attributes;
drop table belay.session;
