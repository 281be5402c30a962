-- The state of the stand-in. Times are Unix milliseconds, as in Clerk's JSON.

-- Signing keys: the newest one signs, all are published.
CREATE TABLE IF NOT EXISTS keys (
    kid        text NOT NULL,
    pkcs8      bytea NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT keys_pkey PRIMARY KEY (kid)
);

-- `data` is the User object of the Backend API.
CREATE TABLE IF NOT EXISTS users (
    id          text NOT NULL,
    created_at  bigint NOT NULL,
    data        jsonb NOT NULL,
    external_id text GENERATED ALWAYS AS (data ->> 'external_id') STORED,
    username    text GENERATED ALWAYS AS (data ->> 'username') STORED,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_external_id_key UNIQUE (external_id),
    CONSTRAINT users_username_key UNIQUE (username)
);
CREATE INDEX IF NOT EXISTS users_created_at_idx ON users (created_at, id);

CREATE TABLE IF NOT EXISTS email_addresses (
    email   text NOT NULL,
    user_id text NOT NULL,
    CONSTRAINT email_addresses_pkey PRIMARY KEY (email),
    CONSTRAINT email_addresses_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS email_addresses_user_id_idx ON email_addresses (user_id);

-- A browser: `cookie` is its `__client` cookie on the stand-in's origin, `browser` its `__clerk_db_jwt` in the application's URLs and
-- cookies.
CREATE TABLE IF NOT EXISTS clients (
    id         text NOT NULL,
    cookie     text NOT NULL,
    browser    text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT clients_pkey PRIMARY KEY (id),
    CONSTRAINT clients_cookie_key UNIQUE (cookie),
    CONSTRAINT clients_browser_key UNIQUE (browser)
);

-- `verified_at`: when the first factor was last verified, from which the claim `fva` counts.
CREATE TABLE IF NOT EXISTS sessions (
    id             text NOT NULL,
    user_id        text NOT NULL,
    client_id      text NOT NULL,
    status         text NOT NULL,
    refresh_token  text NOT NULL,
    verified_at    bigint NOT NULL,
    last_active_at bigint NOT NULL,
    expire_at      bigint NOT NULL,
    abandon_at     bigint NOT NULL,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients (id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS sessions_user_id_idx ON sessions (user_id);
CREATE INDEX IF NOT EXISTS sessions_client_id_idx ON sessions (client_id);

CREATE TABLE IF NOT EXISTS handshakes (
    nonce      text NOT NULL,
    directives jsonb NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT handshakes_pkey PRIMARY KEY (nonce)
);

-- Webhooks and their delivery. `state`: pending, delivered, failed (after the last retry) or lost (on request).
CREATE TABLE IF NOT EXISTS deliveries (
    number          bigint GENERATED ALWAYS AS IDENTITY,
    id              text NOT NULL,
    event_type      text NOT NULL,
    payload         text NOT NULL,
    state           text NOT NULL,
    copies          integer NOT NULL DEFAULT 1,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at bigint NOT NULL,
    last_status     integer,
    created_at      bigint NOT NULL,
    CONSTRAINT deliveries_pkey PRIMARY KEY (number),
    CONSTRAINT deliveries_id_key UNIQUE (id)
);
CREATE INDEX IF NOT EXISTS deliveries_pending_idx ON deliveries (next_attempt_at, number) WHERE state = 'pending';

-- Tickets: each signs its user in, once.
CREATE TABLE IF NOT EXISTS sign_in_tokens (
    id         text NOT NULL,
    token      text NOT NULL,
    user_id    text NOT NULL,
    status     text NOT NULL,
    expire_at  bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT sign_in_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT sign_in_tokens_token_key UNIQUE (token),
    CONSTRAINT sign_in_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

-- Sign-in attempts. `strategy`: how the first factor is verified; `created_session_id`: the result.
CREATE TABLE IF NOT EXISTS sign_ins (
    id                 text NOT NULL,
    client_id          text NOT NULL,
    user_id            text,
    identifier         text,
    strategy           text,
    attempts           integer NOT NULL DEFAULT 0,
    created_session_id text,
    created_at         bigint NOT NULL,
    CONSTRAINT sign_ins_pkey PRIMARY KEY (id),
    CONSTRAINT sign_ins_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients (id) ON DELETE CASCADE,
    CONSTRAINT sign_ins_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS sign_ins_client_id_idx ON sign_ins (client_id);

-- The reverification of a session that was started last.
CREATE TABLE IF NOT EXISTS reverifications (
    session_id  text NOT NULL,
    is_prepared boolean NOT NULL DEFAULT false,
    attempts    integer NOT NULL DEFAULT 0,
    created_at  bigint NOT NULL,
    CONSTRAINT reverifications_pkey PRIMARY KEY (session_id),
    CONSTRAINT reverifications_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
);
