-- Which grants and connections an application may use, and what else sign-in knows of it; an empty object is the default of its type.
alter table applications add column client_settings jsonb not null default '{}';

-- A session of a browser has a cookie; each application that comes in by it gets a session of its own below it, which is what the
-- account API lists as a grant. Ending one ends those below.
alter table sessions add column parent_id text;
alter table sessions add column browser_hash bytea;
alter table sessions add column user_agent text;
alter table sessions add column ip text;
alter table sessions add column last_used_at bigint;
-- When, through which connection and by which methods (names, separated by spaces) the user proved who they are.
alter table sessions add column auth_time bigint;
alter table sessions add column connection text;
alter table sessions add column methods text;
alter table sessions add column scope text;
create unique index sessions_by_browser on sessions (browser_hash) where browser_hash is not null;
create index sessions_by_parent on sessions (parent_id) where parent_id is not null;

-- Codes and links that sign somebody in. The code itself is not here: it follows from the id and a key of the server's.
create table sign_in_codes (
    id text primary key,
    -- SHA-256 of what its holder must show beside the code; without one, client and identifier name the row.
    handle_hash bytea unique,
    application_id text not null references applications (id) on delete cascade,
    connection text not null,
    -- E-mail key or E.164 digits; and the address as it was given.
    identifier text not null,
    address text not null,
    -- SHA-256 of the secret in the link, when the message had one.
    link_hash bytea unique,
    -- What the link's later authorization is to use.
    auth_params jsonb not null,
    guesses bigint not null,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint,
    -- A newer one took its place.
    replaced_at bigint
);
create index sign_in_codes_by_identifier on sign_in_codes (identifier, connection, application_id, created_at);
create index sign_in_codes_by_expiry on sign_in_codes (expires_at);

-- Under way between /authorize and its redirect, known by the SHA-256 of a secret in the browser's cookie.
create table sign_in_flows (
    id_hash bytea primary key,
    application_id text not null references applications (id) on delete cascade,
    -- The parameters of the authorization request, checked.
    request jsonb not null,
    code_id text,
    created_at bigint not null,
    expires_at bigint not null,
    finished_at bigint
);
create index sign_in_flows_by_expiry on sign_in_flows (expires_at);

create table authorization_codes (
    code_hash bytea primary key,
    application_id text not null references applications (id) on delete cascade,
    session_id text not null references sessions (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    -- As the request named it; null when it named none.
    redirect_uri text,
    scope text not null,
    audience text,
    nonce text,
    -- S256 (RFC 7636); null for confidential clients and magic links.
    code_challenge text,
    is_from_link boolean not null,
    -- RFC 9449 10.
    dpop_jkt text,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint
);
create index authorization_codes_by_expiry on authorization_codes (expires_at);

-- Every use makes the next one of the family; the family is the session.
create table refresh_tokens (
    token_hash bytea primary key,
    session_id text not null references sessions (id) on delete cascade,
    application_id text not null references applications (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    scope text not null,
    audience text,
    dpop_jkt text,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint
);
create index refresh_tokens_by_session on refresh_tokens (session_id);
create index refresh_tokens_by_expiry on refresh_tokens (expires_at);

-- What may come once: ids of client assertions, DPoP proofs and the like, by digest, until they could not be used anyway.
create table seen_ids (
    id_hash bytea primary key,
    expires_at bigint not null
);
create index seen_ids_by_expiry on seen_ids (expires_at);
