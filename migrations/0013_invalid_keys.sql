-- Idempotency keys of deletion requests of which the page was told that they haven't arrived. One that arrives after all is
-- refused. Removed after a day: no request is under way for so long.
create table lethe.invalid_idempotency_key (
    -- The code of the receipt that the request would have got: a keyed hash of user and key.
    receipt_code text not null,
    invalidated_at timestamptz not null,
    constraint invalid_idempotency_key_pkey primary key (receipt_code)
);
