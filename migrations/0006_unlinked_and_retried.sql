-- Retention: each entry has its own attempts, so that one which fails holds up no other.
alter table lethe.retention
    add column attempts integer not null default 0,
    add column next_attempt_at timestamptz,
    -- A closed word, never a message from outside.
    add column failure text,
    add column attention_since timestamptz;

-- Erased means unlinked: nothing leads from a tombstone, which whoever has the secret can find for a Clerk user id, or
-- from a receipt, to the random id under which ledger and audit log keep what somebody chose and did.
alter table lethe.tombstone drop column request_id;
alter table lethe.deletion_request alter column subject_id drop not null;
update lethe.deletion_request set subject_id = null where finished_at is not null;
alter table lethe.deletion_request
    add constraint deletion_request_subject_while_open check (finished_at is null or subject_id is null);

-- Somebody who is signed in on the person's behalf may withdraw consent. The ledger says that it was them.
alter table lethe.consent_entry drop constraint consent_entry_source_check;
alter table lethe.consent_entry
    add constraint consent_entry_source_check check (source in ('page', 'api', 'signal', 'on_behalf'));

-- A value that only the right secret produces, so that a wrong one is noticed before it makes anything unreadable.
create table lethe.secret_check (
    singleton boolean not null default true,
    digest bytea not null,
    constraint secret_check_pkey primary key (singleton),
    constraint secret_check_singleton_check check (singleton)
);
