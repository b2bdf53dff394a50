-- Where others are told of what happens here.
create table hooks (
    id text primary key,
    name text not null,
    -- Names of events, separated by spaces.
    events text not null,
    -- Address and headers; they may hold secrets, so they are sealed under the master key like the key that signs.
    config bytea not null,
    signing_key bytea not null,
    enabled boolean not null,
    created_at bigint not null
);
create index hooks_by_age on hooks (created_at, id);

-- Another one with every change of the hooks. Every event that is written reads it: by it nodes know whether the list they keep still
-- holds. Random and no counter, so that the mark of a transaction that is undone never comes again.
alter table settings add column hooks_mark text not null default '';

-- Tries that failed; unlike `attempts`, which counts claims, those of nodes that died included.
alter table outbox add column failures bigint not null default 0;
