-- The audit log. An entry is written inside the transaction of what it tells, many at once; the
-- chain is put together right after by one sealer, so that it costs the writers no lock.
create table lethe.audit_entry (
    id bigint generated always as identity,
    kind text not null,
    subject_id uuid,
    -- What anybody may read: never personal data. `json`, not `jsonb`: its text is hashed.
    open json not null,
    -- What only the person's key opens.
    sealed bytea,
    recorded_at timestamptz not null,
    digest bytea not null,
    constraint audit_entry_pkey primary key (id),
    constraint audit_entry_digest_length check (octet_length(digest) = 32)
);
create index audit_entry_subject on lethe.audit_entry (subject_id, id desc) where subject_id is not null;
create trigger audit_entry_append_only before update or delete or truncate on lethe.audit_entry
    for each statement execute function lethe.refuse_change();

-- Entries that wait for their place in the chain.
create table lethe.audit_pending (
    entry_id bigint not null,
    constraint audit_pending_pkey primary key (entry_id),
    constraint audit_pending_entry_fkey foreign key (entry_id) references lethe.audit_entry (id)
);

-- The chain: each link hashes the one before it and its entry's digest.
create table lethe.audit_link (
    position bigint not null,
    entry_id bigint not null,
    hash bytea not null,
    constraint audit_link_pkey primary key (position),
    constraint audit_link_entry_key unique (entry_id),
    constraint audit_link_entry_fkey foreign key (entry_id) references lethe.audit_entry (id),
    constraint audit_link_position_check check (position > 0)
);
create trigger audit_link_append_only before update or delete or truncate on lethe.audit_link
    for each statement execute function lethe.refuse_change();
