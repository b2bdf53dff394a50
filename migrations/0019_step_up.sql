-- The record of a sign-in that was asked for as a step-up (RFC 9470): the access token carries it.
alter table authorization_codes add column record_hash bytea;
