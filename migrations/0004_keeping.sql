-- Several keys of one algorithm are published; the one whose moment came last signs.
alter table signing_keys add column signs_from bigint not null default 0;
-- The public half of a retired key, as a JWK: its private half is gone.
alter table signing_keys add column public_key jsonb;

-- Work that one node at a time does: nobody else begins before the moment given.
create table chores (
    name text primary key,
    next_at bigint not null
);

-- Each kind of message has a queue of its own.
drop index outbox_waiting;
create index outbox_waiting on outbox (kind, next_attempt_at) where delivered_at is null and given_up_at is null;

-- What sweeping looks for.
create index outbox_delivered on outbox (delivered_at) where delivered_at is not null;
create index outbox_given_up on outbox (given_up_at) where given_up_at is not null;
create index guesses_by_time on guesses (at);
create index sends_by_time on sends (at);
create index send_guards_by_time on send_guards (touched_at);
create index subject_tokens_by_expiry on subject_tokens (expires_at);
create index sessions_by_end on sessions (ended_at) where ended_at is not null;
