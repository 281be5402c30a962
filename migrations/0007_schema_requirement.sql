-- The oldest version that can serve on this schema, by its newest migration. A version serves on the schema of a newer one
-- unless its own newest migration is below this number.
--
-- A migration that takes away what older versions use comes a release after the version that no longer uses it, and sets
-- the number to that version's newest migration.
create table lethe.schema_requirement (
    singleton boolean not null default true,
    minimum_migration bigint not null,
    constraint schema_requirement_pkey primary key (singleton),
    constraint schema_requirement_singleton_check check (singleton)
);
insert into lethe.schema_requirement (minimum_migration) values (7);
