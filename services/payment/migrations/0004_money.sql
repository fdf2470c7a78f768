CREATE TABLE deposit (
    id         uuid          PRIMARY KEY,
    network    text          NOT NULL REFERENCES network (key),
    txid       bytea         NOT NULL CHECK (octet_length(txid) = 32),
    -- 0 for the transaction's own value, else 1 + the place of the log among the logs of its transaction: the same in
    -- whatever block the transaction is mined (F10, H002, H007).
    position   integer       NOT NULL CHECK (position >= 0),
    asset      integer       NOT NULL REFERENCES asset (id),
    address    bytea         NOT NULL CHECK (octet_length(address) = 20),
    sender     bytea         CHECK (octet_length(sender) = 20),
    -- Whose; null for the house's own hot wallet.
    user_id    uuid,
    -- As the chain says, which may be more than the ledger can hold.
    amount     numeric(78,0) NOT NULL CHECK (amount > 0),
    -- 'credit': a flow of the same id carries it. 'below_minimum' and 'too_large': recorded and shown, not credited.
    handling   text          NOT NULL CHECK (handling IN ('credit', 'below_minimum', 'too_large')),
    -- Label of the flow, or the handling, or 'dropped'.
    status     text          NOT NULL,
    -- Confirmations it needs, as of when it was first seen.
    confirmations_needed integer NOT NULL CHECK (confirmations_needed > 0),
    -- Where it is on the main chain now; null when it is not.
    height     bigint,
    block_hash bytea         CHECK (octet_length(block_hash) = 32),
    confirmed  boolean       NOT NULL DEFAULT false,
    seen_at    timestamptz   NOT NULL,
    CONSTRAINT deposit_identity_unique UNIQUE (network, txid, position),
    CHECK ((height IS NULL) = (block_hash IS NULL)),
    CHECK (NOT confirmed OR height IS NOT NULL)
);
CREATE INDEX deposit_user ON deposit (user_id, id DESC) WHERE user_id IS NOT NULL;
-- What waits for confirmations, asked for with every block; and what a reorganisation takes back.
CREATE INDEX deposit_unconfirmed ON deposit (network, height) WHERE NOT confirmed AND height IS NOT NULL;
CREATE INDEX deposit_height ON deposit (network, height);
COMMENT ON TABLE deposit IS 'Payments to our addresses that the follower found, one row a payment for ever';

CREATE TABLE withdrawal (
    id             uuid          PRIMARY KEY,
    user_id        uuid          NOT NULL,
    asset          integer       NOT NULL REFERENCES asset (id),
    network        text          NOT NULL REFERENCES network (key),
    address        bytea         NOT NULL CHECK (octet_length(address) = 20),
    amount         numeric(39,0) NOT NULL CHECK (amount > 0),
    fee            numeric(39,0) NOT NULL CHECK (fee >= 0),
    -- Set when the address is one of ours: paid inside the house (H038).
    internal_user  uuid,
    requested_at   timestamptz   NOT NULL,
    -- Label of the flow of the same id, written with its every step.
    status         text          NOT NULL,
    waiting_for    text,
    is_final       boolean       NOT NULL DEFAULT false
);
CREATE INDEX withdrawal_user ON withdrawal (user_id, id DESC);
-- Which payments are before another one in the queue for the hot wallet.
CREATE INDEX withdrawal_open ON withdrawal (network, id) WHERE NOT is_final;
COMMENT ON TABLE withdrawal IS 'What was asked for, and where it stands as the flow of the same id says';

CREATE TABLE outgoing_transaction (
    hash         bytea         PRIMARY KEY CHECK (octet_length(hash) = 32),
    network      text          NOT NULL REFERENCES network (key),
    withdrawal   uuid          NOT NULL REFERENCES withdrawal (id),
    attempt      integer       NOT NULL CHECK (attempt >= 1),
    nonce        bigint        NOT NULL CHECK (nonce >= 0),
    raw          bytea         NOT NULL,
    stored_at    timestamptz   NOT NULL,
    height       bigint,
    block_hash   bytea         CHECK (octet_length(block_hash) = 32),
    succeeded    boolean,
    fee_paid     numeric(39,0),
    confirmed    boolean       NOT NULL DEFAULT false,
    CONSTRAINT outgoing_transaction_attempt_unique UNIQUE (withdrawal, attempt),
    CHECK ((height IS NULL) = (block_hash IS NULL) AND (height IS NULL) = (succeeded IS NULL) AND (height IS NULL) = (fee_paid IS NULL))
);
-- I07: of a withdrawal's candidates at most one is on the chain.
CREATE UNIQUE INDEX outgoing_transaction_mined_unique ON outgoing_transaction (withdrawal) WHERE height IS NOT NULL;
CREATE INDEX outgoing_transaction_height ON outgoing_transaction (network, height);
COMMENT ON TABLE outgoing_transaction IS 'Signed bytes, stored before the first broadcast (F29 to F31, H022); all candidates of a withdrawal share its nonce (H028)';

CREATE TABLE hot_wallet_claim (
    withdrawal uuid          PRIMARY KEY REFERENCES withdrawal (id),
    network    text          NOT NULL REFERENCES network (key),
    asset      integer       NOT NULL REFERENCES asset (id),
    amount     numeric(39,0) NOT NULL,
    -- The most the chain may charge, in the network's own coin.
    fee_cap    numeric(39,0) NOT NULL,
    claimed_at timestamptz   NOT NULL
);
COMMENT ON TABLE hot_wallet_claim IS 'What payments under way take from the hot wallet, claimed under the network row''s lock before anything is signed (H031, F39); deleted when the withdrawal has ended';

CREATE TABLE foreign_transaction (
    hash    bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
    network text        NOT NULL REFERENCES network (key),
    height  bigint      NOT NULL,
    nonce   bigint      NOT NULL,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE foreign_transaction IS 'Transactions of the hot wallet that we did not make (H027)';

CREATE TABLE transfer (
    id            uuid          PRIMARY KEY,
    from_user     uuid          NOT NULL,
    to_user       uuid          NOT NULL,
    from_username text          NOT NULL,
    to_username   text          NOT NULL,
    asset         integer       NOT NULL REFERENCES asset (id),
    amount        numeric(39,0) NOT NULL CHECK (amount > 0),
    note          text          CHECK (char_length(note) BETWEEN 1 AND 140),
    created_at    timestamptz   NOT NULL,
    -- Label of the flow of the same id, written with its every step.
    status        text          NOT NULL,
    CHECK (from_user <> to_user)
);
COMMENT ON TABLE transfer IS 'What one person paid another, and where it stands as the flow of the same id says';

CREATE TABLE movement (
    user_id   uuid          NOT NULL,
    -- Journal id of the command's last row: the order of everything.
    sequence  bigint        NOT NULL,
    asset     integer       NOT NULL,
    command   uuid          NOT NULL,
    reason    smallint      NOT NULL,
    reference uuid          NOT NULL,
    at        timestamptz   NOT NULL,
    -- On the wallet.
    credited  numeric(39,0) NOT NULL DEFAULT 0,
    debited   numeric(39,0) NOT NULL DEFAULT 0,
    reserved  numeric(39,0) NOT NULL DEFAULT 0,
    released  numeric(39,0) NOT NULL DEFAULT 0,
    -- On the debt account.
    owed      numeric(39,0) NOT NULL DEFAULT 0,
    repaid    numeric(39,0) NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, sequence, asset)
);
COMMENT ON TABLE movement IS 'What each command did to each person''s accounts, from engine.journal.v1; append-only';
