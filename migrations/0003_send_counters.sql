-- Messages counted by windows of time: one row for each subject (a client address, a calling code, all) and window. The row is the
-- last thing a sending transaction touches, so that the one all of them share is locked no longer than a commit takes.
create table send_counters (
    subject text not null,
    begins_at bigint not null,
    ends_at bigint not null,
    sent bigint not null,
    primary key (subject, begins_at)
);
create index send_counters_by_end on send_counters (ends_at);
