-- Patients and doctors are users. An appointment is the patient's; the doctor is only named in it.
CREATE TABLE users (id serial PRIMARY KEY, clerk_id text NOT NULL UNIQUE, email text NOT NULL UNIQUE, role text NOT NULL);
CREATE TABLE appointments (id serial PRIMARY KEY, patient int NOT NULL REFERENCES users, doctor int NOT NULL REFERENCES users, complaint text);
CREATE TABLE prescriptions (id serial PRIMARY KEY, appointment_id int NOT NULL REFERENCES appointments, drug text NOT NULL, signed_by text NOT NULL, signed_by_clerk_id text NOT NULL);
CREATE TABLE records (id serial PRIMARY KEY, patient int NOT NULL REFERENCES users, written_by int REFERENCES users, initials text, finding text);
INSERT INTO users (clerk_id, email, role) VALUES ('user_deleted', 'deleted@clinic.test', 'nobody'), ('user_ada', 'ada@clinic.test', 'doctor'), ('user_bob', 'bob@clinic.test', 'patient'), ('user_cem', 'cem@clinic.test', 'patient');
INSERT INTO appointments (patient, doctor, complaint) VALUES (3, 2, 'cough'), (4, 2, 'knee'), (2, 2, 'saw herself');
INSERT INTO prescriptions (appointment_id, drug, signed_by, signed_by_clerk_id) VALUES (1, 'syrup', 'Dr Ada', 'user_ada'), (3, 'rest', 'Dr Ada', 'user_ada');
INSERT INTO records (patient, written_by, initials, finding) VALUES (3, 2, 'AL', 'nothing'), (4, NULL, 'XY', 'imported');
