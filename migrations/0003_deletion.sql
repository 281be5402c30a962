-- One deletion of one person. `clerk_id` and `contact` are here only until the deletion is
-- finished; what stays is the receipt, which names nobody.
create table lethe.deletion_request (
    id uuid not null,
    receipt_code text not null,
    subject_id uuid not null,
    clerk_id text,
    -- The address for the receipt, sealed.
    contact bytea,
    origin text not null,
    plan jsonb not null,
    plan_hash text not null,
    results jsonb,
    requested_at timestamptz not null,
    -- GDPR 12(3): one month.
    due_at timestamptz not null,
    attention_since timestamptz,
    finished_at timestamptz,
    audit_entry_id bigint,
    constraint deletion_request_pkey primary key (id),
    constraint deletion_request_receipt_code_key unique (receipt_code),
    constraint deletion_request_origin_check check (origin in ('page', 'api', 'webhook', 'operator', 'orphan')),
    constraint deletion_request_person_while_open check ((finished_at is null) = (clerk_id is not null))
);
-- One live deletion a person.
create unique index deletion_request_live on lethe.deletion_request (clerk_id) where clerk_id is not null;
create index deletion_request_open on lethe.deletion_request (requested_at) where finished_at is null;

create table lethe.deletion_step (
    request_id uuid not null,
    position smallint not null,
    step text not null,
    status text not null default 'pending',
    attempts integer not null default 0,
    -- Who works on it holds it until then; afterwards anybody may.
    leased_until timestamptz,
    -- Not before, after a failure.
    next_attempt_at timestamptz,
    -- A closed word, never a message from outside.
    failure text,
    started_at timestamptz,
    finished_at timestamptz,
    constraint deletion_step_pkey primary key (request_id, position),
    constraint deletion_step_request_fkey foreign key (request_id) references lethe.deletion_request (id),
    constraint deletion_step_status_check check (status in ('pending', 'running', 'done', 'retrying', 'blocked'))
);

-- 11 CCR 7022(d): who was erased must stay erased, also when an event comes late or a backup is
-- restored. A keyed hash answers "was this one erased?" and nothing else.
create table lethe.tombstone (
    digest bytea not null,
    request_id uuid not null,
    erased_at timestamptz not null,
    constraint tombstone_pkey primary key (digest),
    constraint tombstone_digest_length check (octet_length(digest) = 32)
);

-- Rows that a deletion left behind for a time: hidden ones until their purge, kept ones until
-- their retention ends. The key is what the rows themselves still hold; it goes with them.
create table lethe.retention (
    id bigint generated always as identity,
    request_id uuid not null,
    table_name text not null,
    clerk_id text,
    due_at timestamptz not null,
    finished_at timestamptz,
    rows_erased bigint,
    constraint retention_pkey primary key (id),
    constraint retention_request_table_key unique (request_id, table_name),
    constraint retention_request_fkey foreign key (request_id) references lethe.deletion_request (id),
    constraint retention_person_while_open check ((finished_at is null) = (clerk_id is not null))
);
create index retention_due on lethe.retention (due_at) where finished_at is null;

-- Webhook deliveries already taken in: each counts once.
create table lethe.webhook_delivery (
    id text not null,
    kind text not null,
    received_at timestamptz not null,
    constraint webhook_delivery_pkey primary key (id)
);
create index webhook_delivery_received on lethe.webhook_delivery (received_at);
