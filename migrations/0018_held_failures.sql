-- Wrong codes that went to somebody who holds the sign-in, counted for each address.

-- A code with more digits than configured: one that nobody guesses.
alter table sign_in_codes add column is_long boolean not null default false;

create table code_guards (
    -- Connection and identifier.
    subject text primary key,
    touched_at bigint not null,
    -- Until then codes are long.
    guarded_until bigint not null,
    -- Guards in a row; each is twice as long as the one before.
    guards bigint not null,
    -- Failures since the last success.
    failures_in_a_row bigint not null,
    -- After so long without a failure all of it is forgotten.
    forgotten_at bigint not null
);
create index code_guards_by_end on code_guards (forgotten_at);

-- One row a failure.
create table code_failures (
    id text primary key,
    subject text not null,
    at bigint not null
);
create index code_failures_by_subject on code_failures (subject, at);
create index code_failures_by_time on code_failures (at);
