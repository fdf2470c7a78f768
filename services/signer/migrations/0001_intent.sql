-- Which wallet this schema belongs to. A signer with another keystore does not start on it.
CREATE TABLE keystore (
    family           text        NOT NULL PRIMARY KEY,
    account_xpub     text        NOT NULL,
    hot_wallet       bytea       NOT NULL CHECK (length(hot_wallet) = 20),
    created_at       timestamptz NOT NULL
);
COMMENT ON TABLE keystore IS 'The public side of the keystore that signed here first';

-- The next nonce. Its row lock is what makes signing for a wallet sequential, over all processes: taken first, before
-- any row of intent.
CREATE TABLE wallet (
    chain_id         bigint      NOT NULL CHECK (chain_id > 0),
    address          bytea       NOT NULL CHECK (length(address) = 20),
    next_nonce       bigint      NOT NULL CHECK (next_nonce >= 0),
    created_at       timestamptz NOT NULL,
    PRIMARY KEY (chain_id, address)
);
COMMENT ON TABLE wallet IS 'The next nonce of a paying address on a chain';

CREATE TABLE intent (
    id               uuid          NOT NULL PRIMARY KEY,
    chain_id         bigint        NOT NULL,
    address          bytea         NOT NULL,
    nonce            bigint        NOT NULL CHECK (nonce >= 0),
    asset            bigint        NOT NULL,
    contract         bytea         CHECK (length(contract) = 20),
    payee            bytea         NOT NULL CHECK (length(payee) = 20),
    amount           numeric(39,0) NOT NULL CHECK (amount > 0),
    -- The dearest of its signatures; counted against the cap on fees.
    fee_max          numeric(39,0) NOT NULL CHECK (fee_max >= 0),
    created_at       timestamptz   NOT NULL,
    FOREIGN KEY (chain_id, address) REFERENCES wallet,
    -- I23: a nonce serves one intent.
    CONSTRAINT intent_nonce UNIQUE (chain_id, address, nonce)
);
COMMENT ON TABLE intent IS 'A payment that was signed at least once; its body never changes';
-- The velocity caps sum over a chain's last day.
CREATE INDEX intent_velocity ON intent (chain_id, created_at);

CREATE TABLE signature (
    intent           uuid          NOT NULL REFERENCES intent,
    attempt          integer       NOT NULL CHECK (attempt > 0),
    -- A filler pays nothing to ourselves and uses up the nonce of a payment that was given up.
    purpose          text          NOT NULL CHECK (purpose IN ('payment', 'filler')),
    raw              bytea         NOT NULL,
    hash             bytea         NOT NULL CHECK (length(hash) = 32),
    r                bytea         NOT NULL CHECK (length(r) = 32),
    max_fee_per_gas  numeric(39,0) NOT NULL,
    max_priority_fee_per_gas numeric(39,0) NOT NULL,
    signed_at        timestamptz   NOT NULL,
    PRIMARY KEY (intent, attempt),
    CONSTRAINT signature_hash UNIQUE (hash),
    -- I24: a repeated r would give the key away.
    CONSTRAINT signature_r UNIQUE (r)
);
COMMENT ON TABLE signature IS 'Every signature ever made, stored before it left';

CREATE TABLE cancelled (
    intent           uuid        NOT NULL PRIMARY KEY,
    cancelled_at     timestamptz NOT NULL
);
COMMENT ON TABLE cancelled IS 'Intents that must never be signed, since their money went back';
