-- The wording of each purpose that somebody decided on: what the hash in the ledger stands for (GDPR 7(1)).
create table lethe.purpose_text (
    purpose text not null,
    version text not null,
    hash bytea not null,
    title text not null,
    body text not null,
    recorded_at timestamptz not null,
    constraint purpose_text_pkey primary key (purpose, version, hash)
);
create trigger purpose_text_append_only before update or delete or truncate on lethe.purpose_text
    for each statement execute function lethe.refuse_change();
