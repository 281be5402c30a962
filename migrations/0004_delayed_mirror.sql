-- Since when Clerk refuses to take a person's consent, or can't be reached for it; null while nothing
-- is the matter. The page tells the person, and operators count those who wait. It stands with the
-- person's row, which the page reads anyway, and goes with it.
alter table lethe.data_subject add column mirror_delayed_since timestamptz;
