-- Sellers are organizations, which go with their last member. What was sold stays for the tax office, without the buyer's address.
CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text NOT NULL UNIQUE, email text NOT NULL);
CREATE TABLE organizations (id serial PRIMARY KEY, clerk_org_id text NOT NULL UNIQUE, name text NOT NULL, founded_by uuid REFERENCES users);
CREATE TABLE memberships (organization_id int NOT NULL REFERENCES organizations, user_id uuid NOT NULL REFERENCES users, invited_by uuid REFERENCES users, PRIMARY KEY (organization_id, user_id));
CREATE TABLE invitations (id serial PRIMARY KEY, organization_id int NOT NULL REFERENCES organizations, created_by uuid NOT NULL REFERENCES users, address text NOT NULL);
CREATE TABLE products (id serial PRIMARY KEY, organization_id int NOT NULL REFERENCES organizations, title text NOT NULL, listed_by uuid REFERENCES users);
CREATE TABLE orders (id serial PRIMARY KEY, buyer_id uuid REFERENCES users, organization_id int REFERENCES organizations, ship_to text, total numeric NOT NULL);
CREATE TABLE order_items (order_id int NOT NULL REFERENCES orders, line int NOT NULL, product_id int REFERENCES products, title text NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE reviews (id serial PRIMARY KEY, product_id int NOT NULL REFERENCES products, author_id uuid NOT NULL REFERENCES users, stars int NOT NULL, body text);
CREATE TABLE favorites (user_id uuid NOT NULL REFERENCES users, product_id int NOT NULL REFERENCES products ON DELETE CASCADE, PRIMARY KEY (user_id, product_id));
INSERT INTO users VALUES ('00000000-0000-0000-0000-00000000000a', 'user_ada', 'ada@market.test'), ('00000000-0000-0000-0000-00000000000b', 'user_bob', 'bob@market.test'), ('00000000-0000-0000-0000-00000000000c', 'user_cem', 'cem@market.test');
INSERT INTO organizations (clerk_org_id, name, founded_by) VALUES ('org_1', 'Ada alone', '00000000-0000-0000-0000-00000000000a'), ('org_2', 'Ada and Cem', '00000000-0000-0000-0000-00000000000a');
INSERT INTO memberships VALUES (1, '00000000-0000-0000-0000-00000000000a', NULL), (2, '00000000-0000-0000-0000-00000000000a', NULL), (2, '00000000-0000-0000-0000-00000000000c', '00000000-0000-0000-0000-00000000000a');
INSERT INTO invitations (organization_id, created_by, address) VALUES (2, '00000000-0000-0000-0000-00000000000a', 'dan@market.test'), (2, '00000000-0000-0000-0000-00000000000c', 'eve@market.test');
INSERT INTO products (organization_id, title, listed_by) VALUES (1, 'Loom', '00000000-0000-0000-0000-00000000000a'), (2, 'Wheel', '00000000-0000-0000-0000-00000000000a');
INSERT INTO orders (buyer_id, organization_id, ship_to, total) VALUES ('00000000-0000-0000-0000-00000000000b', 1, 'Bob, Main St', 10), ('00000000-0000-0000-0000-00000000000a', 2, 'Ada, High St', 20), ('00000000-0000-0000-0000-00000000000c', 1, 'Cem, Low St', 30);
INSERT INTO order_items VALUES (1, 1, 1, 'Loom'), (2, 1, 2, 'Wheel'), (3, 1, 1, 'Loom');
INSERT INTO reviews (product_id, author_id, stars, body) VALUES (1, '00000000-0000-0000-0000-00000000000b', 5, 'good'), (2, '00000000-0000-0000-0000-00000000000a', 4, 'mine'), (2, '00000000-0000-0000-0000-00000000000b', 3, 'meh');
INSERT INTO favorites VALUES ('00000000-0000-0000-0000-00000000000b', 1), ('00000000-0000-0000-0000-00000000000c', 1), ('00000000-0000-0000-0000-00000000000c', 2);
