-- Packages are owned by people or teams; versions are never unpublished.
CREATE TABLE users (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE, login text NOT NULL UNIQUE);
CREATE TABLE teams (id int PRIMARY KEY, login text NOT NULL UNIQUE);
CREATE TABLE crates (id int PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE crate_owners (
    id int PRIMARY KEY, crate_id int NOT NULL REFERENCES crates, owner_id int NOT NULL, owner_kind int NOT NULL,
    created_by int REFERENCES users, UNIQUE (crate_id, owner_id, owner_kind)
);
CREATE TABLE versions (id int PRIMARY KEY, crate_id int NOT NULL REFERENCES crates, num text NOT NULL, published_by int REFERENCES users);
CREATE TABLE tokens (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, name text, token_hash bytea);
CREATE TABLE invitations (id int PRIMARY KEY, invited_user_id int NOT NULL REFERENCES users, invited_by_user_id int NOT NULL REFERENCES users, crate_id int NOT NULL REFERENCES crates);
INSERT INTO users VALUES (1, 'user_ada', 'ada'), (2, 'user_bob', 'bob'), (3, 'user_cem', 'cem');
INSERT INTO teams VALUES (1, 'core');
INSERT INTO crates VALUES (1, 'left-pad'), (2, 'right-pad');
INSERT INTO crate_owners VALUES (1, 1, 1, 0, NULL), (2, 1, 2, 0, 1), (3, 2, 1, 1, 2), (4, 2, 3, 0, 3);
INSERT INTO versions VALUES (1, 1, '1.0.0', 1), (2, 1, '1.0.1', 2);
INSERT INTO tokens VALUES (1, 1, 'laptop', '\x00'), (2, 2, 'ci', '\x01');
INSERT INTO invitations VALUES (1, 2, 1, 1), (2, 1, 3, 2);
