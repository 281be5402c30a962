-- Issues have a reporter and an assignee; comments are their authors'.
CREATE TABLE account (id bigint PRIMARY KEY, clerk_user_id text NOT NULL UNIQUE, handle text NOT NULL UNIQUE);
CREATE TABLE project (id bigint PRIMARY KEY, name text NOT NULL, lead_id bigint REFERENCES account);
CREATE TABLE issue (id bigint PRIMARY KEY, project_id bigint NOT NULL REFERENCES project ON DELETE CASCADE, reporter bigint NOT NULL REFERENCES account, assignee bigint REFERENCES account ON DELETE SET NULL, title text NOT NULL);
CREATE TABLE comment (id bigint PRIMARY KEY, issue_id bigint NOT NULL REFERENCES issue ON DELETE CASCADE, author bigint NOT NULL REFERENCES account, body text NOT NULL);
CREATE TABLE watcher (id bigint PRIMARY KEY, issue_id bigint NOT NULL REFERENCES issue ON DELETE CASCADE, account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE, UNIQUE (issue_id, account_id));
INSERT INTO account VALUES (0, 'ghost', 'ghost'), (1, 'user_ada', 'ada'), (2, 'user_bob', 'bob'), (3, 'user_cem', 'cem');
INSERT INTO project VALUES (1, 'Apollo', 1), (2, 'Gemini', 3);
INSERT INTO issue VALUES (1, 1, 1, 2, 'by A for B'), (2, 1, 2, 1, 'by B for A'), (3, 2, 3, NULL, 'by C');
INSERT INTO comment VALUES (1, 1, 2, 'B on A''s'), (2, 2, 1, 'A on B''s'), (3, 3, 1, 'A on C''s');
INSERT INTO watcher VALUES (1, 1, 3), (2, 3, 1);
