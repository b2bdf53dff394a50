-- Applications that keep no secret: whether one is among them takes the same time for those that are not and for those that do not exist.
create unique index applications_public on applications (id) where type in ('Native', 'SPA');

-- Suspending a user uses up their subject tokens; deleting one looks for them as well.
create index subject_tokens_by_user on subject_tokens (user_id);
