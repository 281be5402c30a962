-- By what the person's rows are found besides the Clerk user id: their addresses at Clerk and in columns that the data map names.
-- Sealed, with the id, while the deletion is under way. The rechecks keep them, as sealed, in `lethe.recheck.clerk_id`.
alter table lethe.deletion_request add column identifiers bytea;

comment on column lethe.deletion_request.identifiers is 'The sealed Clerk user id and addresses; null before the first step and when the deletion is complete.';
