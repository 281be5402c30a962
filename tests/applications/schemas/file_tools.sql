-- Files with their contents in chunks, shared by links and with others by address; keys and jobs of people who exist at Clerk only.
CREATE TABLE files (id uuid PRIMARY KEY, owner_id text NOT NULL, name text NOT NULL, previous uuid REFERENCES files, viewers text[] NOT NULL DEFAULT '{}', origin json);
CREATE TABLE file_chunks (file_id uuid NOT NULL REFERENCES files ON DELETE CASCADE, part int NOT NULL, content bytea NOT NULL, PRIMARY KEY (file_id, part));
CREATE TABLE shares (id serial PRIMARY KEY, file_id uuid NOT NULL REFERENCES files ON DELETE CASCADE, shared_by text NOT NULL, shared_with text, address text);
CREATE TABLE conversion_jobs (id serial PRIMARY KEY, user_id text NOT NULL, input uuid REFERENCES files, output uuid REFERENCES files, log text);
CREATE TABLE api_keys (id serial PRIMARY KEY, "createdBy" text NOT NULL, hash text NOT NULL UNIQUE, last_used_ip inet);
CREATE TABLE daily_counts (day date PRIMARY KEY, files int NOT NULL);
INSERT INTO files VALUES ('00000000-0000-0000-0000-0000000000a1', 'user_ada', 'a.pdf', NULL), ('00000000-0000-0000-0000-0000000000a2', 'user_ada', 'a.png', '00000000-0000-0000-0000-0000000000a1'), ('00000000-0000-0000-0000-0000000000b1', 'user_bob', 'b.pdf', '00000000-0000-0000-0000-0000000000a1');
UPDATE files SET viewers = '{user_ada,user_cem}', origin = '{"by": {"id": "user_ada"}, "tool": "pdf"}' WHERE name = 'b.pdf';
INSERT INTO file_chunks VALUES ('00000000-0000-0000-0000-0000000000a1', 1, '\x01'), ('00000000-0000-0000-0000-0000000000b1', 1, '\x02');
INSERT INTO shares (file_id, shared_by, shared_with, address) VALUES ('00000000-0000-0000-0000-0000000000a1', 'user_ada', 'user_bob', NULL), ('00000000-0000-0000-0000-0000000000b1', 'user_bob', 'user_ada', 'ada@files.test'), ('00000000-0000-0000-0000-0000000000b1', 'user_bob', NULL, 'guest@files.test');
INSERT INTO conversion_jobs (user_id, input, output, log) VALUES ('user_ada', '00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-0000000000a2', 'ok'), ('user_bob', '00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-0000000000b1', 'ok');
INSERT INTO api_keys ("createdBy", hash, last_used_ip) VALUES ('user_ada', 'h1', '192.0.2.1'), ('user_cem', 'h2', '192.0.2.2');
INSERT INTO daily_counts VALUES ('2026-01-01', 3);
