CREATE TABLE nonce_advance (
    chain_id          bigint      NOT NULL,
    address           bytea       NOT NULL,
    next_nonce_before bigint      NOT NULL,
    next_nonce        bigint      NOT NULL CHECK (next_nonce > next_nonce_before),
    staff             uuid        NOT NULL,
    reason            text        NOT NULL,
    at                timestamptz NOT NULL,
    PRIMARY KEY (chain_id, address, next_nonce),
    FOREIGN KEY (chain_id, address) REFERENCES wallet
);
COMMENT ON TABLE nonce_advance IS 'Each time people let a wallet go on behind transactions that were not signed here (H027), append-only';
