CREATE TABLE wallet (
    family     text        PRIMARY KEY CHECK (family = 'evm'),
    xpub       text        NOT NULL,
    hot_wallet bytea       NOT NULL CHECK (octet_length(hot_wallet) = 20),
    -- The next unused index of deposit addresses. Taken under the row's lock.
    next_index bigint      NOT NULL DEFAULT 0 CHECK (next_index BETWEEN 0 AND 2147483648),
    learned_at timestamptz NOT NULL
);
COMMENT ON TABLE wallet IS 'The public side of the signer''s wallet; another key under the same family is refused, never taken over';

CREATE TABLE deposit_address (
    address    bytea       PRIMARY KEY CHECK (octet_length(address) = 20),
    index      bigint      NOT NULL CONSTRAINT deposit_address_index_unique UNIQUE,
    user_id    uuid        NOT NULL,
    network    text        NOT NULL REFERENCES network (key),
    current    boolean     NOT NULL,
    created_at timestamptz NOT NULL
);
-- One current address a person and network; older ones stay watched for ever (H015).
CREATE UNIQUE INDEX deposit_address_current_unique ON deposit_address (user_id, network) WHERE current;
COMMENT ON TABLE deposit_address IS 'Addresses given to people. Watched on every network, since the same key exists on all of them';

CREATE TABLE chain_cursor (
    network      text        PRIMARY KEY REFERENCES network (key),
    -- The first block to look at, if staff named one; else some blocks below the head of the moment the follower
    -- first sees the chain.
    start_height bigint      CHECK (start_height >= 0),
    -- The last block that was processed; none before the first look.
    height       bigint      CHECK (height >= 0),
    hash         bytea       CHECK (octet_length(hash) = 32),
    -- Fencing: a follower that lost its lease finds another epoch and writes nothing (I13).
    epoch        bigint      NOT NULL DEFAULT 0,
    owner        uuid,
    lease_until  timestamptz NOT NULL DEFAULT '-infinity',
    -- What keeps the follower from going on, for people.
    problem      text,
    checked_at   timestamptz,
    CHECK ((height IS NULL) = (hash IS NULL))
);
COMMENT ON TABLE chain_cursor IS 'How far each network was read; moves one block at a time, in the transaction of what was found in the block (I12)';

CREATE TABLE chain_block (
    network text   NOT NULL REFERENCES network (key),
    height  bigint NOT NULL CHECK (height >= 0),
    hash    bytea  NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (network, height)
);
COMMENT ON TABLE chain_block IS 'Hashes of the processed blocks, newest kept, to find where a reorganisation began';

CREATE TABLE chain_reorganisation (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network     text        NOT NULL REFERENCES network (key),
    from_height bigint      NOT NULL,
    from_hash   bytea       NOT NULL,
    to_height   bigint      NOT NULL,
    seen_at     timestamptz NOT NULL
);
COMMENT ON TABLE chain_reorganisation IS 'Each time a cursor went back, append-only';
