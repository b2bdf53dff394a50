-- A record that was opened first, for one operation (contract `operations.md`). The methods that are collected in it are records of their
-- own, each `part_of` it; its own method is `opened`.
alter table verification_records add column operation text;
-- SHA-256 of the canonical payload.
alter table verification_records add column payload_digest bytea;
-- A name that is no secret, for the audit log and as the place of what is sealed.
alter table verification_records add column handle text;
-- What the owner is shown, in every language: sealed under the master key.
alter table verification_records add column display bytea;
-- The application that opened it; null when its owner did.
alter table verification_records add column opened_by text;
alter table verification_records add column part_of bytea;
create unique index verification_records_by_handle on verification_records (handle) where handle is not null;
create index verification_records_by_whole on verification_records (part_of) where part_of is not null;

-- A reservation: the fence counts them, so that a late commit of an earlier one is known.
alter table verification_records add column reservation_id text;
alter table verification_records add column reserved_by text;
alter table verification_records add column reserved_for text;
alter table verification_records add column reserved_until bigint;
alter table verification_records add column fence bigint not null default 0;

-- The answers of redemptions, for whoever asks again with the same key.
create table idempotent_answers (
    -- SHA-256 of application and key, as hexadecimal text.
    id text primary key,
    request_hash bytea not null,
    -- Status and body, sealed under the master key.
    answer bytea not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index idempotent_answers_by_expiry on idempotent_answers (expires_at);
