-- What about money waits for people.
CREATE TABLE ledger_audit (
    one        boolean     PRIMARY KEY DEFAULT true CHECK (one),
    -- When the newest audit was asked for; an older one that arrives later changes nothing.
    audited_at timestamptz NOT NULL,
    findings   bigint      NOT NULL CHECK (findings >= 0)
);
COMMENT ON TABLE ledger_audit IS 'The newest audit of the ledger, from engine.audit.v1';

CREATE TABLE audit_halt (
    -- Number of an asset; 0 halts all of them.
    asset    integer     PRIMARY KEY CHECK (asset >= 0),
    since    timestamptz NOT NULL
);
COMMENT ON TABLE audit_halt IS 'Assets whose books an audit found to differ: their withdrawals rest until an audit is clean of them';

CREATE TABLE deposit_closing (
    deposit   uuid        PRIMARY KEY REFERENCES deposit (id),
    staff     uuid        NOT NULL,
    reason    text        NOT NULL,
    closed_at timestamptz NOT NULL
);
COMMENT ON TABLE deposit_closing IS 'What staff did about deposits that the ledger cannot hold, append-only';

CREATE TABLE wallet_release (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network     text        NOT NULL REFERENCES network (key),
    next_nonce  bigint      NOT NULL CHECK (next_nonce >= 0),
    staff       uuid        NOT NULL,
    reason      text        NOT NULL,
    released_at timestamptz NOT NULL
);
COMMENT ON TABLE wallet_release IS 'Each time staff let a wallet pay again that was used elsewhere (H027), append-only';

-- A payment of nothing to ourselves that takes the nonce of a payment that was given up (H026).
ALTER TABLE outgoing_transaction ADD COLUMN filler boolean NOT NULL DEFAULT false;
