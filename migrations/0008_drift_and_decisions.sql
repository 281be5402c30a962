-- Why the data map can't be used: one row a cause, so that operators are alerted once, however many processes notice it.
create table lethe.data_map_alert (
    id uuid not null,
    -- Of kind and problems.
    cause bytea not null,
    -- 'mismatch': the map doesn't fit the database. 'rejected': the file has changed and can't be read.
    kind text not null,
    -- What is wrong, with remedies: tables and columns, never a row's values.
    problems text[] not null,
    -- The latest time at which a process noticed it.
    noticed_at timestamptz not null,
    constraint data_map_alert_pkey primary key (id),
    constraint data_map_alert_cause_key unique (cause),
    constraint data_map_alert_kind_check check (kind in ('mismatch', 'rejected'))
);

alter table lethe.deletion_request
    -- Since when an operator holds it, and the reason they gave. The due date stays.
    add column held_at timestamptz,
    add column hold_reason text,
    -- The plan of which the person was notified that it replaces the one they confirmed, and when.
    add column notified_plan text,
    add column notified_at timestamptz,
    -- When another plan replaced the confirmed one, and on whose word.
    add column replanned_at timestamptz,
    add column replanned_by text,
    add constraint deletion_request_replanned_by_check check (replanned_by in ('person', 'operator', 'unreachable'));
