-- What a person chose, downloaded and did is in `sealed`, encrypted with a key of the person's own, which the deletion of the
-- account deletes. The key itself is encrypted with one from LETHE_SECRET. A row that an older version inserts has none yet;
-- nothing was ever sealed with the unencrypted key that it has instead.
alter table lethe.data_subject alter column sealing_key drop not null;
alter table lethe.data_subject add column wrapped_key bytea;

comment on table lethe.data_subject is
    'A user while they are here. The id is random, and what the audit log says about them is sealed with their own key. Their deletion deletes the row and so the key; backups and the write-ahead log have it as long as they are kept.';
comment on column lethe.data_subject.sealing_key is 'Unused, and null in rows of this version. Nothing is sealed with it.';
comment on column lethe.data_subject.wrapped_key is
    'The key that seals entries of the audit log about this user, itself sealed with a key that is derived from LETHE_SECRET.';
comment on column lethe.audit_entry.open is 'The content of an entry about nobody, and of entries of older versions. {} where it is sealed.';
comment on column lethe.audit_entry.sealed is
    'The content of an entry about a user: a version (1), a nonce and the ciphertext of ChaCha20-Poly1305. Kind and time aren''t sealed. Null in entries of older versions, which stay readable.';
comment on table lethe.consent_entry is
    'GDPR 7(1): who consented to what, when, to which text and by what means. Not sealed: it is the evidence, and every page reads it. An entry outlives the user''s row; what stays is a random id to which nothing leads.';

-- The secrets that this database was used with, each by an id and a value that only the secret produces. Every one that isn't
-- dropped must be configured, so that a missing one is noticed before erased users count as active.
create table lethe.secret_key (
    id text not null,
    digest bytea not null,
    -- Null: since before ids were recorded.
    first_used_at timestamptz,
    dropped_at timestamptz,
    constraint secret_key_pkey primary key (id),
    constraint secret_key_id_check check (id ~ '^[0-9a-f]{8}$')
);

-- The secret that a tombstone was made with; null: the first one, or a copy from the store.
alter table lethe.tombstone add column key_id text;

-- Tombstones of the store that this database lacks since it was restored, and that an operator decided not to replay.
create table lethe.waived_tombstone (
    digest bytea not null,
    waived_at timestamptz not null,
    constraint waived_tombstone_pkey primary key (digest)
);

-- What the verification searched: tables, columns, and what it couldn't read. Null in receipts of older versions.
alter table lethe.deletion_request add column searched jsonb;

-- The purposes as they were last mirrored, and how far the mirror of a change is.
create table lethe.purpose_catalogue (
    singleton boolean not null default true,
    digest bytea not null,
    changed_at timestamptz not null,
    -- Data subjects up to this id are done; null: all.
    mirrored_to uuid,
    constraint purpose_catalogue_pkey primary key (singleton),
    constraint purpose_catalogue_singleton_check check (singleton)
);
