-- A log whose actor is a customer, a member of the staff or the system; what identifies by circumstance is the actor's.
CREATE TABLE customers (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE, name text);
CREATE TABLE staff (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE, name text);
CREATE TABLE activity (id int PRIMARY KEY, actor_type text NOT NULL, actor_id int, target_clerk_id text, ip_address inet, user_agent text, action text NOT NULL);
INSERT INTO customers VALUES (1, 'user_ada', 'Ada'), (2, 'user_bob', 'Bob');
INSERT INTO staff VALUES (1, 'user_cem', 'Cem'), (2, 'user_bob', 'Bob at work');
INSERT INTO activity VALUES
    (1, 'customer', 1, NULL, '10.0.0.1', 'Firefox', 'signed in'),
    (2, 'staff', 1, 'user_ada', '10.0.0.3', 'Chrome', 'banned'),
    (3, 'staff', 2, 'user_ada', '10.0.0.2', 'Edge', 'unbanned'),
    (4, 'customer', 2, NULL, '10.0.0.2', 'Edge', 'signed in'),
    (5, 'system', 1, 'user_bob', NULL, NULL, 'reminded');
