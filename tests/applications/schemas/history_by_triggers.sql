-- Every change is copied to audit_log by a trigger, also the changes that an erasure makes.
CREATE TABLE customers (id serial PRIMARY KEY, clerk_id text NOT NULL UNIQUE, email text NOT NULL, name text);
CREATE TABLE tickets (id serial PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, handled_by text, subject text);
CREATE TABLE audit_log (id serial PRIMARY KEY, owner_clerk_id text, actor_clerk_id text, relation text NOT NULL, before jsonb, after jsonb);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_log (owner_clerk_id, actor_clerk_id, relation, before, after) VALUES (
        coalesce(to_jsonb(OLD) ->> 'clerk_id', (SELECT clerk_id FROM customers WHERE id = (to_jsonb(OLD) ->> 'customer_id')::int)),
        current_setting('app.actor', true), TG_TABLE_NAME, to_jsonb(OLD), CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(NEW) END
    );
    RETURN NULL;
END $$;
INSERT INTO customers (clerk_id, email, name) VALUES ('user_ada', 'ada@shop.test', 'Ada'), ('user_bob', 'bob@shop.test', 'Bob'), ('user_cem', 'cem@shop.test', 'Cem');
INSERT INTO tickets (customer_id, handled_by, subject) VALUES (1, 'user_bob', 'broken'), (3, 'user_ada', 'late'), (2, 'user_bob', 'lost');
CREATE TRIGGER customers_audit AFTER UPDATE OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER tickets_audit AFTER UPDATE OR DELETE ON tickets FOR EACH ROW EXECUTE FUNCTION audit();
SET app.actor = 'user_ada';
UPDATE customers SET name = 'Cem II' WHERE id = 3;
UPDATE tickets SET subject = 'very late' WHERE id = 2;
SET app.actor = 'user_cem';
UPDATE customers SET name = 'Ada II' WHERE id = 1;
RESET app.actor;
