-- Networks and assets, as staff made them known.
CREATE TABLE network (
    key           text        PRIMARY KEY CHECK (key ~ '^[a-z0-9][a-z0-9-]{1,19}$'),
    name          text        NOT NULL,
    chain_id      bigint      NOT NULL CONSTRAINT network_chain_id_unique UNIQUE CHECK (chain_id > 0),
    rpc_urls      text[]      NOT NULL CHECK (cardinality(rpc_urls) BETWEEN 1 AND 8),
    confirmations integer     NOT NULL CHECK (confirmations BETWEEN 1 AND 1000),
    enabled       boolean     NOT NULL,
    -- H027: somebody else used the hot wallet's key on this network. Withdrawals rest until staff put the network anew.
    halted_because text,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL
);
COMMENT ON TABLE network IS 'Chains that are followed; key and chain id are fixed for ever';

CREATE TABLE asset (
    -- Dense, given once and for ever: max + 1 under the table lock of the one statement that inserts.
    id                  integer       PRIMARY KEY CHECK (id > 0),
    symbol              text          NOT NULL CONSTRAINT asset_symbol_unique UNIQUE CHECK (symbol ~ '^[A-Z0-9]{2,12}$'),
    name                text          NOT NULL,
    network             text          NOT NULL REFERENCES network (key),
    contract            bytea         CHECK (octet_length(contract) = 20),
    decimals            smallint      NOT NULL CHECK (decimals BETWEEN 0 AND 30),
    deposit_minimum     numeric(39,0) NOT NULL CHECK (deposit_minimum >= 0),
    withdrawal_minimum  numeric(39,0) NOT NULL CHECK (withdrawal_minimum >= 0),
    withdrawal_fee      numeric(39,0) NOT NULL CHECK (withdrawal_fee >= 0),
    approval_threshold  numeric(39,0) NOT NULL CHECK (approval_threshold >= 0),
    deposits_enabled    boolean       NOT NULL,
    withdrawals_enabled boolean       NOT NULL,
    created_at          timestamptz   NOT NULL,
    changed_at          timestamptz   NOT NULL,
    -- One asset a contract and one coin a network; two rows would credit one payment twice.
    CONSTRAINT asset_contract_unique UNIQUE NULLS NOT DISTINCT (network, contract)
);
COMMENT ON TABLE asset IS 'Coins and tokens; what an asset is cannot be changed (F24, H049), its terms can';
