-- The audit log defends itself: events are added, chained once, and taken away only below a signed checkpoint.
-- The same as migrations/postgres/0002_audit_chain.sql, in this engine's words.

-- Place and hash in the chain: set once, by the chaining job, after the event was committed.
alter table audit_events add column seq bigint;
alter table audit_events add column hash bytea;
create unique index audit_events_by_seq on audit_events (seq);
create index audit_events_unchained on audit_events (at, id) where seq is null;

-- One row: how far the chain goes.
create table audit_chain (
    id text primary key,
    seq bigint not null,
    hash bytea not null,
    -- The newest checkpoint.
    checkpoint_seq bigint not null,
    checkpoint_at bigint not null,
    -- Events up to here may be taken away: always the place of a checkpoint.
    swept_through bigint not null
);
insert into audit_chain (id, seq, hash, checkpoint_seq, checkpoint_at, swept_through)
values ('main', 0, x'0000000000000000000000000000000000000000000000000000000000000000', 0, 0, 0);

create table audit_checkpoints (
    seq bigint primary key,
    hash bytea not null,
    at bigint not null,
    -- A compact JWS over place and hash.
    signed text not null
);

-- Public halves of the keys that ever signed a checkpoint: they stay when a key has left the key set.
create table audit_keys (
    kid text primary key,
    jwk jsonb not null
);

-- A condition that is null would let a change pass, hence `is`.
-- `insert or replace` and `update or replace` take rows away without asking a delete trigger, so these ask first.
create trigger audit_events_come_unchained before insert on audit_events
when new.seq is not null or new.hash is not null
    or exists (select 1 from audit_events where id = new.id or rowid = new.rowid)
begin select raise(abort, 'audit_events: events are added unchained, and never replaced'); end;

create trigger audit_events_are_chained_once before update on audit_events
when not (
    old.seq is null and old.hash is null and new.seq is not null and coalesce(length(new.hash), 0) = 32
    and new.seq <= (select seq from audit_chain)
    and not exists (select 1 from audit_events where seq = new.seq)
    and new.rowid is old.rowid and new.id is old.id and new.at is old.at and new.type is old.type
    and new.user_id is old.user_id and new.application_id is old.application_id and new.ip is old.ip
    and new.request_id is old.request_id and new.data is old.data
)
begin select raise(abort, 'audit_events: events are never changed'); end;

create trigger audit_events_stay before delete on audit_events
when old.seq is null or old.seq > (select swept_through from audit_chain)
begin select raise(abort, 'audit_events: events above the swept checkpoint are never deleted'); end;

create trigger audit_chain_is_one before insert on audit_chain
begin select raise(abort, 'audit_chain: there is one chain'); end;

create trigger audit_chain_grows before update on audit_chain
when not (
    new.rowid is old.rowid and new.id is old.id and new.seq >= old.seq and (new.seq > old.seq or new.hash = old.hash)
    and new.checkpoint_seq >= old.checkpoint_seq and new.checkpoint_seq <= new.seq
    and new.swept_through >= old.swept_through
    and (new.swept_through = old.swept_through
        or exists (select 1 from audit_checkpoints where seq = new.swept_through))
)
begin select raise(abort, 'audit_chain: the chain only grows, and is swept up to a checkpoint'); end;

create trigger audit_chain_stays before delete on audit_chain
begin select raise(abort, 'audit_chain: the chain stays'); end;

create trigger audit_checkpoints_are_new before insert on audit_checkpoints
when exists (select 1 from audit_checkpoints where seq >= new.seq or rowid = new.rowid)
begin select raise(abort, 'audit_checkpoints: a checkpoint is newer than all others'); end;

create trigger audit_checkpoints_are_final before update on audit_checkpoints
begin select raise(abort, 'audit_checkpoints: checkpoints are never changed'); end;

create trigger audit_checkpoints_stay before delete on audit_checkpoints
when old.seq >= (select swept_through from audit_chain)
begin select raise(abort, 'audit_checkpoints: checkpoints stay as long as their events'); end;

create trigger audit_keys_are_final before update on audit_keys
begin select raise(abort, 'audit_keys: keys are never changed'); end;

create trigger audit_keys_are_new before insert on audit_keys
when exists (select 1 from audit_keys where kid = new.kid or rowid = new.rowid)
begin select raise(abort, 'audit_keys: keys are never replaced'); end;

create trigger audit_keys_stay before delete on audit_keys
begin select raise(abort, 'audit_keys: keys stay'); end;
