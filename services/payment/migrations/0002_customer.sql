CREATE TABLE customer (
    user_id        uuid        PRIMARY KEY,
    username       text        NOT NULL DEFAULT '',
    level          smallint    NOT NULL DEFAULT 0 CHECK (level >= 0),
    frozen         boolean     NOT NULL DEFAULT false,
    -- Withdrawals are refused before this moment (H091).
    rest_until     timestamptz,
    -- Version of the user's record as of each fact, so that a late event never overwrites a newer one (H063).
    name_version   bigint      NOT NULL DEFAULT 0,
    level_version  bigint      NOT NULL DEFAULT 0,
    freeze_version bigint      NOT NULL DEFAULT 0,
    rest_version   bigint      NOT NULL DEFAULT 0
);
COMMENT ON TABLE customer IS 'What payment knows of a person, learned from core.user.v1; no contact data';

CREATE TABLE revoked_session (
    session_id uuid        PRIMARY KEY,
    -- Order in which replicas take it over.
    position   bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE revoked_session IS 'Sessions that ended early; every replica reads it, since a consumer group tells only one of them';

CREATE TABLE idempotency (
    user_id     uuid        NOT NULL,
    key         text        NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    operation   text        NOT NULL,
    -- SHA-256 of operation and body.
    fingerprint bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    resource    uuid        NOT NULL,
    bound_at    timestamptz NOT NULL,
    PRIMARY KEY (user_id, key)
);
COMMENT ON TABLE idempotency IS 'A client''s key, per person and for ever, bound to what it made (H045); written in the transaction that starts the flow, so a row without work is impossible (H046)';
