-- When the last token of a session expires. Null for sessions of a version that did not say so, which may still run beside this one.
alter table sessions add column expires_at bigint;
update sessions set expires_at = created_at + 3600000;
create index sessions_by_expiry on sessions (expires_at) where expires_at is not null;
