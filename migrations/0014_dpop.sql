-- The key (RFC 7638) of the caller that made the record; then nobody else may verify, use or bind it (RFC 9449).
alter table verification_records add column dpop_jkt text;

-- Secrets are shown and deleted by name.
create unique index application_secrets_by_name on application_secrets (application_id, name);
