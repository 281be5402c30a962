-- There is no table of users: hosts exist at Clerk only. Guests play without an account and are found by their address, or by what they
-- play in.
CREATE TABLE quizzes (id serial PRIMARY KEY, host_clerk_id text NOT NULL, title text NOT NULL);
CREATE TABLE participants (id serial PRIMARY KEY, quiz_id int NOT NULL REFERENCES quizzes, clerk_user_id text, email text, nickname text NOT NULL);
CREATE TABLE answers (participant_id int NOT NULL REFERENCES participants ON DELETE CASCADE, question int NOT NULL, answer text, PRIMARY KEY (participant_id, question));
CREATE TABLE high_scores (id serial PRIMARY KEY, quiz_id int NOT NULL REFERENCES quizzes, participant_id int REFERENCES participants ON DELETE SET NULL, score int NOT NULL);
INSERT INTO quizzes (host_clerk_id, title) VALUES ('user_ada', 'Rivers'), ('user_bob', 'Cities');
INSERT INTO participants (quiz_id, clerk_user_id, email, nickname) VALUES (1, NULL, 'guest@quiz.test', 'guest'), (1, 'user_bob', NULL, 'bobby'), (2, 'user_ada', NULL, 'adi'), (2, 'user_cem', NULL, 'cemi'), (2, NULL, 'Ada@Quiz.test', 'ada as a guest');
INSERT INTO answers VALUES (1, 1, 'Rhine'), (2, 1, 'Nile'), (3, 1, 'Rome'), (4, 1, 'Oslo'), (5, 1, 'Bern');
INSERT INTO high_scores (quiz_id, participant_id, score) VALUES (1, 1, 10), (2, 3, 20), (2, 4, 30), (2, 5, 40);
