-- What all processes have to know for a short time. None of these tables survives a crash of Postgres (unlogged), and none
-- needs to: limits start anew, exports have ended with their connections, and tokens of sessions expire after a minute. Users are
-- stored as a keyed hash that no other table has.

create unlogged table lethe.rate_limit (
    -- What is limited.
    action text not null,
    user_handle text not null,
    -- GCRA's theoretical arrival time: when nothing is used up any more. After that, the row says nothing.
    used_until timestamptz not null,
    primary key (action, user_handle)
);
create index on lethe.rate_limit (used_until);

create unlogged table lethe.running_export (
    user_handle text primary key,
    -- The export, so that a process ends only its own.
    id uuid not null unique,
    -- Renewed while the export runs, so that one whose process died doesn't refuse the next for long.
    expires_at timestamptz not null
);

create unlogged table lethe.ended_session (
    -- Of the session's id.
    digest bytea primary key,
    -- Its tokens that were issued before are refused.
    ended_at timestamptz not null
);
