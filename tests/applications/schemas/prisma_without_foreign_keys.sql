-- relationMode = "prisma": no foreign keys at all.
CREATE TABLE "User" ("id" text PRIMARY KEY, "clerkId" text NOT NULL UNIQUE, "name" text);
CREATE TABLE "Post" ("id" text PRIMARY KEY, "userId" text NOT NULL, "editedBy" text, "title" text NOT NULL);
CREATE TABLE "Like" ("id" text PRIMARY KEY, "postId" text NOT NULL, "userId" text NOT NULL);
INSERT INTO "User" VALUES ('u1', 'user_ada', 'Ada'), ('u2', 'user_bob', 'Bob'), ('u3', 'user_cem', 'Cem');
INSERT INTO "Post" VALUES ('p1', 'u1', 'user_bob', 'by A, edited by B'), ('p2', 'u2', 'user_ada', 'by B, edited by A');
INSERT INTO "Like" VALUES ('l1', 'p2', 'u1'), ('l2', 'p1', 'u3');
