-- After a deletion, its data is looked for again: a token that outlives it, or a job of the application that was running,
-- can write a row late. Until then the person's Clerk user id is stored, encrypted; it goes with the last recheck.
create table lethe.recheck (
    request_id uuid not null,
    position smallint not null,
    clerk_id bytea,
    due_at timestamptz not null,
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    -- A closed word, never a message from outside.
    failure text,
    attention_since timestamptz,
    finished_at timestamptz,
    rows_erased bigint,
    constraint recheck_pkey primary key (request_id, position),
    constraint recheck_request_fkey foreign key (request_id) references lethe.deletion_request (id),
    constraint recheck_person_while_open check ((finished_at is null) = (clerk_id is not null))
);
create index recheck_due on lethe.recheck (due_at) where finished_at is null;

-- What operators were alerted to, and when they are alerted again. A row goes when its cause is gone.
create table lethe.alert (
    -- What it is about, for example `deletion`, and which one.
    topic text not null,
    reference text not null,
    -- Closed words: each of them was reported at once.
    causes text[] not null,
    sent integer not null,
    next_at timestamptz,
    constraint alert_pkey primary key (topic, reference)
);

-- Scheduled jobs that keep failing.
create table lethe.schedule_failure (
    name text not null,
    attempts integer not null,
    failure text not null,
    since timestamptz not null,
    constraint schedule_failure_pkey primary key (name)
);

-- `user.deleted` events beyond the usual number, until an operator releases them.
create table lethe.held_clerk_event (
    clerk_id text not null,
    delivery text not null,
    received_at timestamptz not null,
    constraint held_clerk_event_pkey primary key (clerk_id)
);
create index held_clerk_event_received on lethe.held_clerk_event (received_at);
create index deletion_request_webhook on lethe.deletion_request (requested_at) where origin = 'webhook';

-- Read every few seconds while copies of consent wait for Clerk.
create index data_subject_mirror_delayed on lethe.data_subject (mirror_delayed_since)
    where mirror_delayed_since is not null;
