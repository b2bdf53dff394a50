-- Who caused a message, where that was no user: an application, or the holder of a code.
alter table sends add column sender text;

-- SHA-256 of the secret of the browser that asked for a link, when links open in that browser only.
alter table sign_in_codes add column browser_hash bytea;

-- Buckets that leak at a steady rate: starts of a client, wrong codes for an address. Each is full at `empties_at` less a span.
create table rates (
    subject text primary key,
    empties_at bigint not null
);
create index rates_by_end on rates (empties_at);

-- What /co/authenticate hands out for /authorize, once, by digest; in the browser that has the cookie.
create table login_tickets (
    ticket_hash bytea primary key,
    cookie_hash bytea not null,
    application_id text not null references applications (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    connection text not null,
    methods text not null,
    auth_time bigint not null,
    expires_at bigint not null,
    used_at bigint
);
create index login_tickets_by_expiry on login_tickets (expires_at);
