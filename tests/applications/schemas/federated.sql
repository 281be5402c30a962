-- Profiles above logins: everything references the profile, also that of people on other servers, who have no login here.
CREATE TABLE person (id serial PRIMARY KEY, name text NOT NULL, bio text);
CREATE TABLE local_user (id serial PRIMARY KEY, clerk_id text NOT NULL UNIQUE, person_id int NOT NULL UNIQUE REFERENCES person ON DELETE CASCADE, email text);
CREATE TABLE post (id serial PRIMARY KEY, creator_id int NOT NULL REFERENCES person ON DELETE CASCADE, moderated_by int REFERENCES person ON DELETE SET NULL, title text NOT NULL);
CREATE TABLE comment (id serial PRIMARY KEY, creator_id int NOT NULL REFERENCES person ON DELETE CASCADE, post_id int REFERENCES post ON DELETE CASCADE, parent_id int REFERENCES comment ON DELETE CASCADE, body text);
INSERT INTO person (name, bio) VALUES ('deleted', NULL), ('ada', 'here'), ('bob', 'here'), ('cem', 'here'), ('dan@elsewhere.test', 'there');
INSERT INTO local_user (clerk_id, person_id, email) VALUES ('user_ada', 2, 'ada@social.test'), ('user_bob', 3, 'bob@social.test'), ('user_cem', 4, 'cem@social.test');
INSERT INTO post (creator_id, moderated_by, title) VALUES (2, NULL, 'by ada'), (3, 2, 'by bob'), (5, 2, 'from elsewhere');
INSERT INTO comment (creator_id, post_id, parent_id, body) VALUES (3, 1, NULL, 'bob under ada'), (2, 2, NULL, 'ada under bob'), (5, 2, 2, 'dan to ada'), (4, 3, NULL, 'cem under dan');
