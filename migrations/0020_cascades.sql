-- What goes with a session or a user is found by an index, not by reading all of the table for each.
create index authorization_codes_by_session on authorization_codes (session_id);
create index refresh_tokens_by_user on refresh_tokens (user_id);
