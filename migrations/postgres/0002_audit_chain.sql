-- The audit log defends itself: events are added, chained once, and taken away only below a signed checkpoint.
-- The same as migrations/sqlite/0002_audit_chain.sql, in this engine's words.

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
values ('main', 0, decode(repeat('00', 32), 'hex'), 0, 0, 0);

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

create function audit_refuse() returns trigger language plpgsql as $$
begin
    raise exception '%: the audit log is never changed', tg_table_name;
end $$;

create function audit_events_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.seq is null and new.hash is null then return new; end if;
    elsif tg_op = 'UPDATE' then
        if old.seq is null and old.hash is null and new.seq is not null and length(new.hash) = 32
            and new.seq <= (select seq from audit_chain)
            and new.id = old.id and new.at = old.at and new.type = old.type
            and new.user_id is not distinct from old.user_id
            and new.application_id is not distinct from old.application_id
            and new.ip is not distinct from old.ip
            and new.request_id is not distinct from old.request_id
            and new.data = old.data
        then return new; end if;
    elsif old.seq <= (select swept_through from audit_chain) then
        return old;
    end if;
    raise exception 'audit_events: events are added unchained, chained once, and deleted below the swept checkpoint only';
end $$;

create function audit_chain_guard() returns trigger language plpgsql as $$
begin
    if new.id = old.id and new.seq >= old.seq and (new.seq > old.seq or new.hash = old.hash)
        and new.checkpoint_seq >= old.checkpoint_seq and new.checkpoint_seq <= new.seq
        and new.swept_through >= old.swept_through
        and (new.swept_through = old.swept_through
            or exists (select 1 from audit_checkpoints where seq = new.swept_through))
    then return new; end if;
    raise exception 'audit_chain: the chain only grows, and is swept up to a checkpoint';
end $$;

create function audit_checkpoints_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if not exists (select 1 from audit_checkpoints where seq >= new.seq) then return new; end if;
    elsif old.seq < (select swept_through from audit_chain) then
        return old;
    end if;
    raise exception 'audit_checkpoints: checkpoints are newer than all others, and stay as long as their events';
end $$;

create trigger audit_events_guard before insert or update or delete on audit_events
    for each row execute function audit_events_guard();
create trigger audit_events_stay before truncate on audit_events for each statement execute function audit_refuse();

create trigger audit_chain_guard before update on audit_chain for each row execute function audit_chain_guard();
create trigger audit_chain_is_one before insert or delete on audit_chain for each row execute function audit_refuse();
create trigger audit_chain_stays before truncate on audit_chain for each statement execute function audit_refuse();

create trigger audit_checkpoints_guard before insert or delete on audit_checkpoints
    for each row execute function audit_checkpoints_guard();
create trigger audit_checkpoints_are_final before update on audit_checkpoints
    for each row execute function audit_refuse();
create trigger audit_checkpoints_stay before truncate on audit_checkpoints
    for each statement execute function audit_refuse();

create trigger audit_keys_are_final before update or delete on audit_keys for each row execute function audit_refuse();
create trigger audit_keys_stay before truncate on audit_keys for each statement execute function audit_refuse();
