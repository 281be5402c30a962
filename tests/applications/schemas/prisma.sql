-- Prisma's usual shape: quoted names, text ids, and the Clerk id beside them.
CREATE TABLE "User" ("id" text PRIMARY KEY, "clerkId" text NOT NULL UNIQUE, "email" text NOT NULL UNIQUE, "stripeCustomerId" text UNIQUE);
CREATE TABLE "Organization" ("id" text PRIMARY KEY, "name" text NOT NULL);
CREATE TABLE "Membership" ("id" text PRIMARY KEY, "organizationId" text NOT NULL REFERENCES "Organization" ("id") ON DELETE CASCADE, "userId" text NOT NULL REFERENCES "User" ("id") ON DELETE CASCADE);
CREATE TABLE "Document" ("id" text PRIMARY KEY, "organizationId" text NOT NULL REFERENCES "Organization" ("id") ON DELETE RESTRICT, "authorId" text NOT NULL REFERENCES "User" ("id") ON DELETE RESTRICT, "title" text NOT NULL);
CREATE TABLE "Invoice" ("id" text PRIMARY KEY, "userId" text NOT NULL REFERENCES "User" ("id") ON DELETE RESTRICT, "cents" int NOT NULL);
CREATE TABLE "_DocumentToTag" ("A" text NOT NULL REFERENCES "Document" ("id") ON DELETE CASCADE, "B" text NOT NULL, UNIQUE ("A", "B"));
CREATE TABLE "_prisma_migrations" (id text PRIMARY KEY);
INSERT INTO "User" VALUES ('cl0', 'deleted', 'deleted@example.invalid', NULL), ('cl1', 'user_ada', 'ada@shop.test', 'cus_1'), ('cl2', 'user_bob', 'bob@shop.test', NULL), ('cl3', 'user_cem', 'cem@shop.test', NULL);
INSERT INTO "Organization" VALUES ('o1', 'Both'), ('o2', 'Bob alone');
INSERT INTO "Membership" VALUES ('m1', 'o1', 'cl1'), ('m2', 'o1', 'cl2'), ('m3', 'o2', 'cl2');
INSERT INTO "Document" VALUES ('d1', 'o1', 'cl1', 'A in both''s'), ('d2', 'o2', 'cl2', 'B in B''s'), ('d3', 'o1', 'cl3', 'C in both''s');
INSERT INTO "Invoice" VALUES ('i1', 'cl1', 100), ('i2', 'cl3', 300);
INSERT INTO "_DocumentToTag" VALUES ('d1', 'x'), ('d2', 'y');
