-- A table in partitions, with a foreign key on one partition only.
CREATE TABLE users (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE);
CREATE TABLE payments (id int NOT NULL, user_id int NOT NULL, day date NOT NULL, cents int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE payments_2025 PARTITION OF payments FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE payments_2026 PARTITION OF payments FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
ALTER TABLE payments_2025 ADD FOREIGN KEY (user_id) REFERENCES users;
INSERT INTO users VALUES (1, 'user_ada'), (2, 'user_bob'), (3, 'user_cem');
INSERT INTO payments VALUES (1, 1, '2025-03-01', 100), (2, 1, '2026-03-01', 200), (3, 2, '2025-03-01', 300);
