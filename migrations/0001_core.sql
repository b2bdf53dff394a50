-- Times are milliseconds since 1970, made by the program. JSON columns hold objects only.
-- What identifies or opens something is stored as a digest, never as itself.

create table users (
    id text primary key,
    -- The `sub` of a trusted external issuer, with that issuer's prefix.
    external_id text unique,
    username text,
    -- What makes usernames unique: the name itself, or its lower-case form, as the username policy says.
    username_key text unique,
    primary_email text,
    -- The lower-case form, unique whatever the spelling.
    email_key text unique,
    -- E.164 digits without the plus sign.
    primary_phone text unique,
    name text,
    avatar text,
    profile jsonb not null,
    custom_data jsonb not null,
    password_digest text,
    password_algorithm text,
    password_updated_at bigint,
    application_id text,
    is_suspended boolean not null,
    last_sign_in_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create index users_by_age on users (created_at, id);

create table applications (
    id text primary key,
    name text not null,
    description text,
    type text not null,
    is_third_party boolean not null,
    -- May ask for management tokens.
    is_management boolean not null,
    allow_token_exchange boolean not null,
    oidc_client_metadata jsonb not null,
    custom_data jsonb not null,
    created_at bigint not null
);
create index applications_by_age on applications (created_at, id);

create table application_secrets (
    application_id text not null references applications (id) on delete cascade,
    secret_hash bytea not null,
    name text not null,
    created_at bigint not null,
    expires_at bigint,
    primary key (application_id, secret_hash)
);

create table sessions (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    application_id text,
    created_at bigint not null,
    ended_at bigint
);
create index sessions_by_user on sessions (user_id);

create table subject_tokens (
    token_hash bytea primary key,
    user_id text not null references users (id) on delete cascade,
    created_at bigint not null,
    expires_at bigint not null,
    consumed_at bigint
);

-- One row; the version lets every node see a change with the request that follows it.
create table settings (
    id text primary key,
    version bigint not null,
    account_center jsonb not null,
    sign_in_experience jsonb not null
);

create table signing_keys (
    kid text primary key,
    algorithm text not null,
    -- PKCS#8, sealed under the master key.
    private_key bytea not null,
    created_at bigint not null,
    retired_at bigint
);

create table verification_records (
    id_hash bytea primary key,
    user_id text not null references users (id) on delete cascade,
    method text not null,
    purpose text not null,
    -- The address the code went to: e-mail key or E.164 digits. Null for methods without one.
    identifier text,
    -- HMAC of the code; gone once verified.
    code_mac bytea,
    code_expires_at bigint,
    guesses bigint not null,
    created_at bigint not null,
    expires_at bigint not null,
    verified_at bigint,
    spent_at bigint,
    revoked_at bigint
);
create index verification_records_by_user on verification_records (user_id);
create index verification_records_by_expiry on verification_records (expires_at);

-- The lock of one user's one method: every guess begins by touching its row, so guesses of one pair take turns.
create table guess_guards (
    user_id text not null references users (id) on delete cascade,
    method text not null,
    touched_at bigint not null,
    locked_until bigint not null,
    -- Locks in a row; each is twice as long as the one before.
    locks bigint not null,
    -- Failures since the last success.
    failures_in_a_row bigint not null,
    primary key (user_id, method)
);

-- One row a guess that failed, or is being judged at the moment. A right guess removes its row.
create table guesses (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    method text not null,
    at bigint not null,
    failed boolean not null
);
create index guesses_by_user on guesses (user_id, method, at);

-- The lock of one recipient or one sender of messages.
create table send_guards (
    subject text primary key,
    touched_at bigint not null
);

create table sends (
    id text primary key,
    recipient_hash bytea not null,
    user_id text,
    at bigint not null
);
create index sends_by_recipient on sends (recipient_hash, at);
create index sends_by_user on sends (user_id, at);

-- Messages wait here from the transaction that causes them until a channel has taken them.
create table outbox (
    id text primary key,
    kind text not null,
    template text not null,
    user_id text,
    -- Recipient and body, sealed under the master key; emptied once delivered or given up.
    sealed bytea not null,
    attempts bigint not null,
    created_at bigint not null,
    -- Nobody tries before this moment: back-off, or the lease of whoever is trying now.
    next_attempt_at bigint not null,
    expires_at bigint not null,
    delivered_at bigint,
    given_up_at bigint
);
create index outbox_waiting on outbox (next_attempt_at) where delivered_at is null and given_up_at is null;

create table audit_events (
    id text primary key,
    at bigint not null,
    type text not null,
    user_id text,
    application_id text,
    ip text,
    request_id text,
    data jsonb not null
);
create index audit_events_by_user on audit_events (user_id, at);
create index audit_events_by_time on audit_events (at, id);
