-- Direct messages between two people. Contents apart from messages, since forwarded messages share them.
CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text NOT NULL UNIQUE, name text NOT NULL);
CREATE TABLE contents (id int PRIMARY KEY, body text NOT NULL);
CREATE TABLE messages (
    id int PRIMARY KEY,
    sender_id uuid NOT NULL REFERENCES users,
    sender_name text,
    recipient_id uuid NOT NULL REFERENCES users,
    content_id int NOT NULL REFERENCES contents
);
CREATE TABLE reactions (id int PRIMARY KEY, message_id int NOT NULL REFERENCES messages ON DELETE CASCADE, user_id uuid NOT NULL REFERENCES users, emoji text);
CREATE TABLE rooms (id int PRIMARY KEY, topic text, created_by uuid NOT NULL REFERENCES users);
CREATE TABLE members (room_id int REFERENCES rooms, user_id uuid REFERENCES users, PRIMARY KEY (room_id, user_id));
INSERT INTO users VALUES
    ('00000000-0000-0000-0000-000000000000', 'nobody', 'Deleted user'),
    ('00000000-0000-0000-0000-00000000000a', 'user_ada', 'Ada'),
    ('00000000-0000-0000-0000-00000000000b', 'user_bob', 'Bob'),
    ('00000000-0000-0000-0000-00000000000c', 'user_cem', 'Cem');
INSERT INTO contents VALUES (1, 'from A to B'), (2, 'from B to A, forwarded to C'), (3, 'from A to herself'), (4, 'from C to B');
INSERT INTO messages VALUES
    (1, '00000000-0000-0000-0000-00000000000a', 'Ada', '00000000-0000-0000-0000-00000000000b', 1),
    (2, '00000000-0000-0000-0000-00000000000b', 'Bob', '00000000-0000-0000-0000-00000000000a', 2),
    (3, '00000000-0000-0000-0000-00000000000a', 'Ada', '00000000-0000-0000-0000-00000000000a', 3),
    (4, '00000000-0000-0000-0000-00000000000c', 'Cem', '00000000-0000-0000-0000-00000000000b', 4),
    (5, '00000000-0000-0000-0000-00000000000a', 'Ada', '00000000-0000-0000-0000-00000000000c', 2);
INSERT INTO reactions VALUES
    (1, 1, '00000000-0000-0000-0000-00000000000b', 'from Bob'), (2, 4, '00000000-0000-0000-0000-00000000000a', 'from Ada'), (3, 3, '00000000-0000-0000-0000-00000000000c', 'on what only Ada has');
INSERT INTO rooms VALUES (1, 'Founded by A', '00000000-0000-0000-0000-00000000000a');
INSERT INTO members VALUES (1, '00000000-0000-0000-0000-00000000000a'), (1, '00000000-0000-0000-0000-00000000000b');
