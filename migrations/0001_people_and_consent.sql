-- Lethe's own schema. Nothing here refers to the application's tables, so that both can be
-- migrated, dumped and restored apart from each other.
create schema if not exists lethe;

-- The ledger and the audit log may only grow. Deletion is not a missing right (an owner always
-- has it) but a refused operation, so that it cannot happen by accident or by a bug.
create function lethe.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'lethe.% is append-only', tg_table_name using errcode = 'restrict_violation';
end
$$;

-- A person while they are here. The id is random: once this row is gone, nothing leads from the
-- person to what the ledger and the audit log keep about that id, and what they sealed with the
-- key can't be read any more.
create table lethe.data_subject (
    id uuid not null,
    clerk_id text not null,
    sealing_key bytea not null,
    created_at timestamptz not null,
    constraint data_subject_pkey primary key (id),
    constraint data_subject_clerk_id_key unique (clerk_id),
    constraint data_subject_sealing_key_length check (octet_length(sealing_key) = 32)
);

-- GDPR 7(1): who consented to what, when, to which text and by what means. No foreign key to
-- data_subject, on purpose: an entry outlives the person's row and is anonymous from then on.
create table lethe.consent_entry (
    id bigint generated always as identity,
    subject_id uuid not null,
    purpose text not null,
    granted boolean not null,
    text_version text not null,
    text_hash bytea not null,
    source text not null,
    recorded_at timestamptz not null,
    constraint consent_entry_pkey primary key (id),
    constraint consent_entry_source_check check (source in ('page', 'api', 'signal'))
);
create index consent_entry_latest on lethe.consent_entry (subject_id, purpose, id desc) include (granted, recorded_at);
create trigger consent_entry_append_only before update or delete or truncate on lethe.consent_entry
    for each statement execute function lethe.refuse_change();

-- Whose consent still has to reach Clerk. One row a person, however often they change their
-- mind; the mirror removes it before it reads the ledger, so a change in between starts anew.
create table lethe.consent_mirror (
    subject_id uuid not null,
    wanted_at timestamptz not null,
    constraint consent_mirror_pkey primary key (subject_id)
);
