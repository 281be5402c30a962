-- Rows for the people in the temporary table seed_people(index, id, email, name, blog, lab). The setting `seed.rows` is
-- the number of rows per person and table. Nothing is random or depends on the clock, and inserts are sorted, so that
-- two fresh databases get equal rows with equal ids.

INSERT INTO users (clerk_id, email, name, created_at)
SELECT id, email, name, timestamptz '2024-01-01 08:00:00+00' + index * interval '7 minutes'
FROM seed_people WHERE blog ORDER BY index;

INSERT INTO preferences (user_id, theme, newsletter, language, updated_at)
SELECT id, (ARRAY['light', 'dark', 'system'])[1 + index % 3], index % 2 = 0, (ARRAY['en', 'de', 'fr', 'es'])[1 + index % 4],
       timestamptz '2024-02-01 08:00:00+00' + index * interval '7 minutes'
FROM seed_people WHERE blog ORDER BY index;

INSERT INTO posts (author_id, title, body, created_at)
SELECT p.id,
       (ARRAY['Notes on', 'Against', 'In praise of', 'A short history of', 'Learning', 'What I got wrong about'])[1 + (p.index + r) % 6]
           || ' ' || (ARRAY['slow mornings', 'tide tables', 'paper maps', 'second drafts', 'quiet software', 'winter gardens', 'borrowed books'])[1 + (p.index * 3 + r) % 7],
       (ARRAY['The ferry was late again, so I had time to think.', 'My neighbour asked me about this twice, here is the long answer.', 'I kept a list for a month and then threw it away.'])[1 + r % 3]
           || E'\n\nPart ' || r || ' by ' || p.name || '.',
       timestamptz '2024-03-01 09:00:00+00' + p.index * interval '7 minutes' + r * interval '3 days'
FROM seed_people p CROSS JOIN generate_series(1, current_setting('seed.rows')::int) r
WHERE p.blog ORDER BY p.index, r;

-- Each post has comments by its author and by the people two, three and four numbers on. Neighbours share no row, so that
-- a deletion can be tested by comparing the next person's rows byte for byte.
INSERT INTO comments (post_id, author_id, body, created_at)
SELECT post.id, commenter.id,
       (ARRAY['I have seen this differently, but well put.', 'Thank you, this helped.', 'Where was the photograph taken?', 'More of this, please.'])[1 + (post.id + step)::int % 4]
           || ' ' || commenter.name,
       post.created_at + step * interval '5 hours'
FROM posts post
JOIN seed_people author ON author.id = post.author_id
CROSS JOIN (VALUES (0), (2), (3), (4)) AS steps (step)
CROSS JOIN (SELECT count(*)::int AS people FROM seed_people) total
JOIN seed_people commenter ON commenter.index = (author.index + step) % total.people AND commenter.blog
WHERE step = 0 OR step % total.people NOT IN (0, 1, total.people - 1)
ORDER BY post.id, step;

INSERT INTO profiles (user_id, email, display_name, created_at, updated_at)
SELECT id, email, name, moment, moment
FROM (SELECT *, timestamptz '2024-01-02 10:00:00+00' + index * interval '7 minutes' AS moment FROM seed_people) p
WHERE lab ORDER BY index;

INSERT INTO projects (user_id, name, created_at, updated_at)
SELECT p.id, (ARRAY['Tidal', 'Boreal', 'Lumen', 'Cobalt', 'Meridian'])[1 + (p.index + r) % 5] || ' ' || r, moment, moment
FROM seed_people p CROSS JOIN generate_series(1, current_setting('seed.rows')::int) r
CROSS JOIN LATERAL (SELECT timestamptz '2024-03-02 10:00:00+00' + p.index * interval '7 minutes' + r * interval '2 days' AS moment) m
WHERE p.lab ORDER BY p.index, r;

INSERT INTO reports (project_id, user_id, title, summary, created_at, updated_at)
SELECT id, user_id, 'Quarterly report on ' || name, 'Measured ' || (17 + id % 83) || ' samples; two were discarded.',
       created_at + interval '1 hour', created_at + interval '1 hour'
FROM projects ORDER BY id;

INSERT INTO experiments (report_id, user_id, hypothesis, outcome, created_at, updated_at)
SELECT id, user_id, 'Warmer samples settle ' || (2 + id % 7) || ' percent faster', (ARRAY['confirmed', 'rejected', NULL])[1 + id % 3],
       created_at + interval '2 hours', created_at + interval '2 hours'
FROM reports ORDER BY id;

INSERT INTO pipelines (experiment_id, user_id, name, configuration, created_at, updated_at)
SELECT id, user_id, 'settle-' || id, jsonb_build_object('steps', jsonb_build_array('load', 'clean', 'fit'), 'seed', id % 1000),
       created_at + interval '3 hours', created_at + interval '3 hours'
FROM experiments ORDER BY id;

INSERT INTO datasets (pipeline_id, user_id, name, size_bytes, created_at, updated_at)
SELECT id, user_id, name || '.parquet', 1024 * (1 + id % 4096), created_at + interval '4 hours', created_at + interval '4 hours'
FROM pipelines ORDER BY id;

INSERT INTO api_keys (user_id, label, secret_hash, created_at)
SELECT p.id, (ARRAY['laptop', 'notebook server', 'nightly run'])[1 + r % 3], sha256(convert_to(p.id || '/' || r, 'UTF8')),
       timestamptz '2024-03-05 10:00:00+00' + p.index * interval '7 minutes' + r * interval '1 day'
FROM seed_people p CROSS JOIN generate_series(1, 2) r
WHERE p.lab ORDER BY p.index, r;

INSERT INTO activity_logs (user_id, action, ip_address, created_at)
SELECT p.id, (ARRAY['signed in', 'opened a project', 'ran a pipeline', 'downloaded a dataset'])[1 + r % 4],
       inet '198.51.100.0' + (p.index + r) % 256,
       timestamptz '2024-04-01 07:00:00+00' + p.index * interval '7 minutes' + r * interval '6 hours'
FROM seed_people p CROSS JOIN generate_series(1, current_setting('seed.rows')::int) r
WHERE p.lab ORDER BY p.index, r;

INSERT INTO usage_logs (user_id, metric, quantity, created_at)
SELECT p.id, (ARRAY['compute seconds', 'stored gigabytes', 'requests'])[1 + r % 3], ((p.index + r) % 9973)::numeric / 8,
       timestamptz '2024-04-01 08:00:00+00' + p.index * interval '7 minutes' + r * interval '1 hour'
FROM seed_people p CROSS JOIN generate_series(1, current_setting('seed.rows')::int) r
WHERE p.lab ORDER BY p.index, r;
