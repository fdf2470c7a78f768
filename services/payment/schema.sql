-- Schema "payment" as its migrations leave it. Written by its schema test with UPDATE_SNAPSHOTS=1; not to be edited.

CREATE DOMAIN client_key AS text CHECK (((length(VALUE) >= 1) AND (length(VALUE) <= 255)));

CREATE DOMAIN fingerprint AS bytea CHECK ((octet_length(VALUE) = 32));

CREATE DOMAIN order_kind AS text CHECK ((VALUE = ANY (ARRAY['limit'::text, 'market'::text])));

CREATE DOMAIN order_name AS text CHECK (((length(VALUE) >= 1) AND (length(VALUE) <= 64)));

CREATE DOMAIN order_self_trade AS text CHECK ((VALUE = ANY (ARRAY['cancel_newest'::text, 'cancel_oldest'::text, 'cancel_both'::text, 'decrement'::text])));

CREATE DOMAIN order_side AS text CHECK ((VALUE = ANY (ARRAY['buy'::text, 'sell'::text])));

CREATE DOMAIN order_status AS text CHECK ((VALUE = ANY (ARRAY['open'::text, 'filled'::text, 'cancelled'::text, 'expired'::text, 'unfilled'::text, 'self_trade'::text, 'refused'::text, 'lapsed'::text])));

CREATE DOMAIN order_tif AS text CHECK ((VALUE = ANY (ARRAY['gtc'::text, 'ioc'::text, 'fok'::text, 'post_only'::text])));

CREATE DOMAIN positive_units AS numeric(39,0) CHECK ((VALUE > (0)::numeric));

CREATE DOMAIN units AS numeric(39,0) CHECK ((VALUE >= (0)::numeric));

CREATE TYPE asked_order_entry AS (
    id              uuid,
    user_id         uuid,
    key             text,
    fingerprint     bytea,
    market          integer,
    client_order_id text,
    side            text,
    kind            text,
    tif             text,
    price           numeric,
    quantity        numeric,
    value           numeric,
    expires_at      timestamp with time zone,
    placed_at       timestamp with time zone,
    stop            numeric,
    display         numeric,
    self_trade      text,
    owes_nothing    boolean
);

CREATE TYPE changed_order_entry AS (
    user_id      uuid,
    id           uuid,
    price        numeric,
    quantity     numeric,
    status       text,
    triggered    boolean,
    filled       numeric,
    filled_value numeric,
    fee          numeric
);

CREATE TYPE movement_entry AS (
    user_id   uuid,
    sequence  bigint,
    asset     integer,
    command   uuid,
    reason    smallint,
    reference uuid,
    at        timestamp with time zone,
    credited  numeric,
    debited   numeric,
    reserved  numeric,
    released  numeric,
    owed      numeric,
    repaid    numeric,
    fee       numeric
);

CREATE TYPE placed_order_entry AS (
    id           uuid,
    user_id      uuid,
    market       integer,
    number       bigint,
    side         text,
    kind         text,
    tif          text,
    price        numeric,
    quantity     numeric,
    expires_at   timestamp with time zone,
    placed_at    timestamp with time zone,
    status       text,
    stop         numeric,
    waiting      boolean,
    filled       numeric,
    filled_value numeric,
    fee          numeric
);

CREATE TYPE trade_entry AS (
    sequence   bigint,
    place      integer,
    market     integer,
    at         timestamp with time zone,
    price      numeric,
    quantity   numeric,
    value      numeric,
    taker      text,
    buyer      uuid,
    buy_order  uuid,
    buy_fee    numeric,
    seller     uuid,
    sell_order uuid,
    sell_fee   numeric
);

CREATE TABLE asked_order (
    user_id         uuid NOT NULL,
    id              uuid NOT NULL,
    market          integer NOT NULL,
    client_order_id payment.order_name,
    side            payment.order_side NOT NULL,
    kind            payment.order_kind NOT NULL,
    tif             payment.order_tif NOT NULL,
    price           payment.units NOT NULL,
    quantity        payment.units,
    value           payment.positive_units,
    expires_at      timestamp with time zone,
    placed_at       timestamp with time zone NOT NULL,
    stop            payment.positive_units,
    display         payment.positive_units,
    self_trade      payment.order_self_trade NOT NULL,
    CONSTRAINT asked_order_pkey PRIMARY KEY (user_id, id)
);
COMMENT ON TABLE asked_order IS 'Orders that were asked for and are not decided as far as is known here';
GRANT DELETE, INSERT, SELECT ON asked_order TO ferrex_payment;

CREATE TABLE asset (
    id                  integer NOT NULL,
    symbol              text NOT NULL,
    name                text NOT NULL,
    network             text NOT NULL,
    contract            bytea,
    decimals            smallint NOT NULL,
    deposit_minimum     numeric(39,0) NOT NULL,
    withdrawal_minimum  numeric(39,0) NOT NULL,
    withdrawal_fee      numeric(39,0) NOT NULL,
    approval_threshold  numeric(39,0) NOT NULL,
    deposits_enabled    boolean NOT NULL,
    withdrawals_enabled boolean NOT NULL,
    created_at          timestamp with time zone NOT NULL,
    changed_at          timestamp with time zone NOT NULL,
    CONSTRAINT asset_pkey PRIMARY KEY (id),
    CONSTRAINT asset_contract_unique UNIQUE NULLS NOT DISTINCT (network, contract),
    CONSTRAINT asset_symbol_unique UNIQUE (symbol),
    CONSTRAINT asset_approval_threshold_check CHECK ((approval_threshold >= (0)::numeric)),
    CONSTRAINT asset_contract_check CHECK ((octet_length(contract) = 20)),
    CONSTRAINT asset_decimals_check CHECK (((decimals >= 0) AND (decimals <= 30))),
    CONSTRAINT asset_deposit_minimum_check CHECK ((deposit_minimum >= (0)::numeric)),
    CONSTRAINT asset_id_check CHECK ((id > 0)),
    CONSTRAINT asset_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key),
    CONSTRAINT asset_symbol_check CHECK ((symbol ~ '^[A-Z0-9]{2,12}$'::text)),
    CONSTRAINT asset_withdrawal_fee_check CHECK ((withdrawal_fee >= (0)::numeric)),
    CONSTRAINT asset_withdrawal_minimum_check CHECK ((withdrawal_minimum >= (0)::numeric))
);
COMMENT ON TABLE asset IS 'Coins and tokens; what an asset is cannot be changed (F24, H049), its terms can';
GRANT INSERT, SELECT ON asset TO ferrex_payment;

CREATE TABLE audit_halt (
    asset integer NOT NULL,
    since timestamp with time zone NOT NULL,
    CONSTRAINT audit_halt_pkey PRIMARY KEY (asset),
    CONSTRAINT audit_halt_asset_check CHECK ((asset >= 0))
);
COMMENT ON TABLE audit_halt IS 'Assets whose books an audit found to differ: their withdrawals rest until an audit is clean of them';
GRANT DELETE, INSERT, SELECT, UPDATE ON audit_halt TO ferrex_payment;

CREATE TABLE chain_block (
    network text NOT NULL,
    height  bigint NOT NULL,
    hash    bytea NOT NULL,
    CONSTRAINT chain_block_pkey PRIMARY KEY (network, height),
    CONSTRAINT chain_block_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT chain_block_height_check CHECK ((height >= 0)),
    CONSTRAINT chain_block_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key)
);
COMMENT ON TABLE chain_block IS 'Hashes of the processed blocks, newest kept, to find where a reorganisation began';
GRANT DELETE, INSERT, SELECT, UPDATE ON chain_block TO ferrex_payment;

CREATE TABLE chain_cursor (
    network      text NOT NULL,
    start_height bigint,
    height       bigint,
    hash         bytea,
    epoch        bigint NOT NULL DEFAULT 0,
    owner        uuid,
    lease_until  timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone,
    problem      text,
    checked_at   timestamp with time zone,
    CONSTRAINT chain_cursor_pkey PRIMARY KEY (network),
    CONSTRAINT chain_cursor_check CHECK (((height IS NULL) = (hash IS NULL))),
    CONSTRAINT chain_cursor_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT chain_cursor_height_check CHECK ((height >= 0)),
    CONSTRAINT chain_cursor_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key),
    CONSTRAINT chain_cursor_start_height_check CHECK ((start_height >= 0))
);
COMMENT ON TABLE chain_cursor IS 'How far each network was read; moves one block at a time, in the transaction of what was found in the block (I12)';
GRANT INSERT, SELECT, UPDATE ON chain_cursor TO ferrex_payment;

CREATE TABLE chain_reorganisation (
    id          bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    network     text NOT NULL,
    from_height bigint NOT NULL,
    from_hash   bytea NOT NULL,
    to_height   bigint NOT NULL,
    seen_at     timestamp with time zone NOT NULL,
    CONSTRAINT chain_reorganisation_pkey PRIMARY KEY (id),
    CONSTRAINT chain_reorganisation_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key)
);
COMMENT ON TABLE chain_reorganisation IS 'Each time a cursor went back, append-only';
GRANT INSERT, SELECT ON chain_reorganisation TO ferrex_payment;

GRANT SELECT, USAGE ON chain_reorganisation_id_seq TO ferrex_payment;

CREATE TABLE customer (
    user_id        uuid NOT NULL,
    username       text NOT NULL DEFAULT ''::text,
    level          smallint NOT NULL DEFAULT 0,
    frozen         boolean NOT NULL DEFAULT false,
    rest_until     timestamp with time zone,
    name_version   bigint NOT NULL DEFAULT 0,
    level_version  bigint NOT NULL DEFAULT 0,
    freeze_version bigint NOT NULL DEFAULT 0,
    rest_version   bigint NOT NULL DEFAULT 0,
    CONSTRAINT customer_pkey PRIMARY KEY (user_id),
    CONSTRAINT customer_level_check CHECK ((level >= 0))
);
COMMENT ON TABLE customer IS 'What payment knows of a person, learned from core.user.v1; no contact data';
GRANT DELETE, INSERT, SELECT, UPDATE ON customer TO ferrex_payment;

CREATE TABLE daily_volume (
    user_id  uuid NOT NULL,
    market   integer NOT NULL,
    day      date NOT NULL,
    quantity numeric NOT NULL,
    value    numeric NOT NULL,
    CONSTRAINT daily_volume_pkey PRIMARY KEY (user_id, market, day),
    CONSTRAINT daily_volume_market_fkey FOREIGN KEY (market) REFERENCES payment.market(id),
    CONSTRAINT daily_volume_quantity_check CHECK ((quantity > (0)::numeric)),
    CONSTRAINT daily_volume_value_check CHECK ((value > (0)::numeric))
);
COMMENT ON TABLE daily_volume IS 'What each person traded, by market and day; the sums of table trade';
CREATE INDEX daily_volume_day ON daily_volume USING btree (day);
GRANT INSERT, SELECT, UPDATE ON daily_volume TO ferrex_payment;

CREATE TABLE deposit (
    id                   uuid NOT NULL,
    network              text NOT NULL,
    txid                 bytea NOT NULL,
    position             integer NOT NULL,
    asset                integer NOT NULL,
    address              bytea NOT NULL,
    sender               bytea,
    user_id              uuid,
    amount               numeric(78,0) NOT NULL,
    handling             text NOT NULL,
    status               text NOT NULL,
    confirmations_needed integer NOT NULL,
    height               bigint,
    block_hash           bytea,
    confirmed            boolean NOT NULL DEFAULT false,
    seen_at              timestamp with time zone NOT NULL,
    CONSTRAINT deposit_pkey PRIMARY KEY (id),
    CONSTRAINT deposit_identity_unique UNIQUE (network, txid, "position"),
    CONSTRAINT deposit_address_check CHECK ((octet_length(address) = 20)),
    CONSTRAINT deposit_amount_check CHECK ((amount > (0)::numeric)),
    CONSTRAINT deposit_asset_fkey FOREIGN KEY (asset) REFERENCES payment.asset(id),
    CONSTRAINT deposit_block_hash_check CHECK ((octet_length(block_hash) = 32)),
    CONSTRAINT deposit_check CHECK (((height IS NULL) = (block_hash IS NULL))),
    CONSTRAINT deposit_check1 CHECK (((NOT confirmed) OR (height IS NOT NULL))),
    CONSTRAINT deposit_confirmations_needed_check CHECK ((confirmations_needed > 0)),
    CONSTRAINT deposit_handling_check CHECK ((handling = ANY (ARRAY['credit'::text, 'below_minimum'::text, 'too_large'::text]))),
    CONSTRAINT deposit_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key),
    CONSTRAINT deposit_position_check CHECK (("position" >= 0)),
    CONSTRAINT deposit_sender_check CHECK ((octet_length(sender) = 20)),
    CONSTRAINT deposit_txid_check CHECK ((octet_length(txid) = 32))
);
COMMENT ON TABLE deposit IS 'Payments to our addresses that the follower found, one row a payment for ever';
CREATE INDEX deposit_height ON deposit USING btree (network, height);
CREATE INDEX deposit_unconfirmed ON deposit USING btree (network, height) WHERE ((NOT confirmed) AND (height IS NOT NULL));
CREATE INDEX deposit_user ON deposit USING btree (user_id, id DESC) WHERE (user_id IS NOT NULL);
GRANT INSERT, SELECT ON deposit TO ferrex_payment;

CREATE TABLE deposit_address (
    address    bytea NOT NULL,
    index      bigint NOT NULL,
    user_id    uuid NOT NULL,
    network    text NOT NULL,
    current    boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT deposit_address_pkey PRIMARY KEY (address),
    CONSTRAINT deposit_address_index_unique UNIQUE (index),
    CONSTRAINT deposit_address_address_check CHECK ((octet_length(address) = 20)),
    CONSTRAINT deposit_address_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key)
);
COMMENT ON TABLE deposit_address IS 'Addresses given to people. Watched on every network, since the same key exists on all of them';
CREATE UNIQUE INDEX deposit_address_current_unique ON deposit_address USING btree (user_id, network) WHERE current;
GRANT INSERT, SELECT ON deposit_address TO ferrex_payment;

CREATE TABLE deposit_closing (
    deposit   uuid NOT NULL,
    staff     uuid NOT NULL,
    reason    text NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    CONSTRAINT deposit_closing_pkey PRIMARY KEY (deposit),
    CONSTRAINT deposit_closing_deposit_fkey FOREIGN KEY (deposit) REFERENCES payment.deposit(id)
);
COMMENT ON TABLE deposit_closing IS 'What staff did about deposits that the ledger cannot hold, append-only';
GRANT INSERT, SELECT ON deposit_closing TO ferrex_payment;

CREATE TABLE fee_schedule (
    version bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    asset   integer NOT NULL,
    volumes numeric(39,0)[] NOT NULL,
    staff   uuid NOT NULL,
    reason  text NOT NULL,
    set_at  timestamp with time zone NOT NULL,
    CONSTRAINT fee_schedule_pkey PRIMARY KEY (version),
    CONSTRAINT fee_schedule_asset_fkey FOREIGN KEY (asset) REFERENCES payment.asset(id),
    CONSTRAINT fee_schedule_volumes_check CHECK ((cardinality(volumes) <= 63))
);
COMMENT ON TABLE fee_schedule IS 'Which 30-day volume gives which fee tier; the newest version holds';
GRANT INSERT, SELECT ON fee_schedule TO ferrex_payment;

GRANT SELECT, USAGE ON fee_schedule_version_seq TO ferrex_payment;

CREATE TABLE fee_tier (
    user_id uuid NOT NULL,
    tier    smallint NOT NULL,
    set_at  timestamp with time zone NOT NULL,
    CONSTRAINT fee_tier_pkey PRIMARY KEY (user_id),
    CONSTRAINT fee_tier_tier_check CHECK (((tier >= 0) AND (tier <= 63)))
);
COMMENT ON TABLE fee_tier IS 'The tier that the engine was last told of a person; nobody else has one above 0';
GRANT INSERT, SELECT, UPDATE ON fee_tier TO ferrex_payment;

CREATE TABLE flow (
    id            uuid NOT NULL,
    kind          text NOT NULL,
    step          integer NOT NULL,
    label         text NOT NULL,
    version       integer NOT NULL,
    state         jsonb NOT NULL,
    is_final      boolean NOT NULL,
    waiting_for   text,
    wake_at       timestamp with time zone,
    parked_reason text,
    created_at    timestamp with time zone NOT NULL,
    updated_at    timestamp with time zone NOT NULL,
    CONSTRAINT flow_pkey PRIMARY KEY (id),
    CONSTRAINT flow_step_positive CHECK ((step > 0))
);
COMMENT ON TABLE flow IS 'Persisted state machines, one row each. Lock order: flow, then its effects.';
CREATE INDEX flow_parked ON flow USING btree (kind, updated_at) WHERE (parked_reason IS NOT NULL);
CREATE INDEX flow_wake ON flow USING btree (kind, wake_at) WHERE ((wake_at IS NOT NULL) AND (parked_reason IS NULL));
GRANT DELETE, INSERT, SELECT, UPDATE ON flow TO ferrex_payment;

CREATE TABLE flow_effect (
    id          uuid NOT NULL,
    flow_id     uuid NOT NULL,
    kind        text NOT NULL,
    step        integer NOT NULL,
    position    smallint NOT NULL,
    label       text NOT NULL,
    name        text NOT NULL,
    action      jsonb NOT NULL,
    status      text NOT NULL DEFAULT 'pending'::text,
    fence       integer NOT NULL DEFAULT 0,
    touched     boolean NOT NULL DEFAULT false,
    claimed_by  text,
    due_at      timestamp with time zone NOT NULL DEFAULT now(),
    reason      text,
    outcome     jsonb,
    created_at  timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT flow_effect_pkey PRIMARY KEY (id),
    CONSTRAINT flow_effect_place UNIQUE (flow_id, step, "position"),
    CONSTRAINT flow_effect_flow_id_fkey FOREIGN KEY (flow_id) REFERENCES payment.flow(id),
    CONSTRAINT flow_effect_status CHECK ((status = ANY (ARRAY['pending'::text, 'done'::text, 'unknown'::text, 'revoked'::text, 'parked'::text])))
);
COMMENT ON TABLE flow_effect IS 'What flows want done outside, written with the step that wants it and performed afterwards.';
CREATE INDEX flow_effect_due ON flow_effect USING btree (kind, due_at) WHERE (status = 'pending'::text);
GRANT DELETE, INSERT, SELECT, UPDATE ON flow_effect TO ferrex_payment;

CREATE TABLE flow_history (
    flow_id     uuid NOT NULL,
    step        integer NOT NULL,
    at          timestamp with time zone NOT NULL,
    actor       text NOT NULL,
    input       jsonb,
    label       text NOT NULL,
    version     integer NOT NULL,
    state       jsonb NOT NULL,
    waiting_for text,
    wake_at     timestamp with time zone,
    effects     text[] NOT NULL,
    CONSTRAINT flow_history_pkey PRIMARY KEY (flow_id, step),
    CONSTRAINT flow_history_flow_id_fkey FOREIGN KEY (flow_id) REFERENCES payment.flow(id),
    CONSTRAINT flow_history_input CHECK (((step = 0) = (input IS NULL)))
);
COMMENT ON TABLE flow_history IS 'Every step of every flow: what came in, from whom, what state it led to. Replaying the inputs gives the state.';
GRANT DELETE, INSERT, SELECT, UPDATE ON flow_history TO ferrex_payment;

CREATE TABLE foreign_transaction (
    hash    bytea NOT NULL,
    network text NOT NULL,
    height  bigint NOT NULL,
    nonce   bigint NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT foreign_transaction_pkey PRIMARY KEY (hash),
    CONSTRAINT foreign_transaction_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT foreign_transaction_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key)
);
COMMENT ON TABLE foreign_transaction IS 'Transactions of the hot wallet that we did not make (H027)';
GRANT INSERT, SELECT ON foreign_transaction TO ferrex_payment;

CREATE TABLE hot_wallet_claim (
    withdrawal uuid NOT NULL,
    network    text NOT NULL,
    asset      integer NOT NULL,
    amount     numeric(39,0) NOT NULL,
    fee_cap    numeric(39,0) NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    CONSTRAINT hot_wallet_claim_pkey PRIMARY KEY (withdrawal),
    CONSTRAINT hot_wallet_claim_asset_fkey FOREIGN KEY (asset) REFERENCES payment.asset(id),
    CONSTRAINT hot_wallet_claim_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key),
    CONSTRAINT hot_wallet_claim_withdrawal_fkey FOREIGN KEY (withdrawal) REFERENCES payment.withdrawal(id)
);
COMMENT ON TABLE hot_wallet_claim IS 'What payments under way take from the hot wallet, claimed under the network row''s lock before anything is signed (H031, F39); deleted when the withdrawal has ended';
GRANT DELETE, INSERT, SELECT, UPDATE ON hot_wallet_claim TO ferrex_payment;

CREATE TABLE idempotency (
    user_id     uuid NOT NULL,
    key         payment.client_key NOT NULL,
    operation   text NOT NULL,
    fingerprint payment.fingerprint NOT NULL,
    resource    uuid NOT NULL,
    bound_at    timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (user_id, key)
);
COMMENT ON TABLE idempotency IS 'A client''s key, per person and for ever, bound to what it made (H045); written in the transaction that starts the flow, so a row without work is impossible (H046)';
GRANT INSERT, SELECT ON idempotency TO ferrex_payment;

CREATE TABLE inbox (
    consumer    text NOT NULL,
    message_id  uuid NOT NULL,
    received_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id)
);
COMMENT ON TABLE inbox IS 'Messages that took effect or were parked, in the transaction that did it';
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON inbox TO ferrex_payment;

CREATE TABLE ledger_audit (
    one        boolean NOT NULL DEFAULT true,
    audited_at timestamp with time zone NOT NULL,
    findings   bigint NOT NULL,
    CONSTRAINT ledger_audit_pkey PRIMARY KEY (one),
    CONSTRAINT ledger_audit_findings_check CHECK ((findings >= 0)),
    CONSTRAINT ledger_audit_one_check CHECK (one)
);
COMMENT ON TABLE ledger_audit IS 'The newest audit of the ledger, from engine.audit.v1';
GRANT DELETE, INSERT, SELECT, UPDATE ON ledger_audit TO ferrex_payment;

CREATE TABLE market (
    id         integer NOT NULL,
    symbol     text NOT NULL,
    base       integer NOT NULL,
    quote      integer NOT NULL,
    terms      jsonb NOT NULL,
    request    uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    state      text,
    sequence   bigint NOT NULL DEFAULT 0,
    fees       jsonb,
    last_price numeric(39,0),
    CONSTRAINT market_pkey PRIMARY KEY (id),
    CONSTRAINT market_symbol_unique UNIQUE (symbol),
    CONSTRAINT market_base_fkey FOREIGN KEY (base) REFERENCES payment.asset(id),
    CONSTRAINT market_check CHECK ((base <> quote)),
    CONSTRAINT market_id_check CHECK (((id >= 1) AND (id <= 65535))),
    CONSTRAINT market_last_price_check CHECK ((last_price > (0)::numeric)),
    CONSTRAINT market_quote_fkey FOREIGN KEY (quote) REFERENCES payment.asset(id),
    CONSTRAINT market_sequence_check CHECK ((sequence >= 0)),
    CONSTRAINT market_state_check CHECK ((state = ANY (ARRAY['open'::text, 'cancel_only'::text, 'halted'::text, 'auction'::text])))
);
COMMENT ON TABLE market IS 'Markets: terms by staff, state by engine.market.v1';
GRANT INSERT, SELECT ON market TO ferrex_payment;

CREATE TABLE movement (
    user_id   uuid NOT NULL,
    sequence  bigint NOT NULL,
    asset     integer NOT NULL,
    command   uuid NOT NULL,
    reason    smallint NOT NULL,
    reference uuid NOT NULL,
    at        timestamp with time zone NOT NULL,
    credited  numeric(39,0) NOT NULL DEFAULT 0,
    debited   numeric(39,0) NOT NULL DEFAULT 0,
    reserved  numeric(39,0) NOT NULL DEFAULT 0,
    released  numeric(39,0) NOT NULL DEFAULT 0,
    owed      numeric(39,0) NOT NULL DEFAULT 0,
    repaid    numeric(39,0) NOT NULL DEFAULT 0,
    fee       payment.units NOT NULL DEFAULT 0,
    CONSTRAINT movement_pkey PRIMARY KEY (user_id, sequence, asset)
);
COMMENT ON TABLE movement IS 'What each command did to each person''s accounts, from engine.journal.v1; append-only';
CREATE INDEX movement_owed ON movement USING btree (user_id) WHERE (owed > (0)::numeric);
GRANT INSERT, SELECT ON movement TO ferrex_payment;

CREATE TABLE network (
    key            text NOT NULL,
    name           text NOT NULL,
    chain_id       bigint NOT NULL,
    rpc_urls       text[] NOT NULL,
    confirmations  integer NOT NULL,
    enabled        boolean NOT NULL,
    halted_because text,
    created_at     timestamp with time zone NOT NULL,
    changed_at     timestamp with time zone NOT NULL,
    CONSTRAINT network_pkey PRIMARY KEY (key),
    CONSTRAINT network_chain_id_unique UNIQUE (chain_id),
    CONSTRAINT network_chain_id_check CHECK ((chain_id > 0)),
    CONSTRAINT network_confirmations_check CHECK (((confirmations >= 1) AND (confirmations <= 1000))),
    CONSTRAINT network_key_check CHECK ((key ~ '^[a-z0-9][a-z0-9-]{1,19}$'::text)),
    CONSTRAINT network_rpc_urls_check CHECK (((cardinality(rpc_urls) >= 1) AND (cardinality(rpc_urls) <= 8)))
);
COMMENT ON TABLE network IS 'Chains that are followed; key and chain id are fixed for ever';
GRANT INSERT, SELECT ON network TO ferrex_payment;

CREATE TABLE order_batch (
    id       uuid NOT NULL,
    user_id  uuid NOT NULL,
    steps    jsonb NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    CONSTRAINT order_batch_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE order_batch IS 'Batches of orders, cancels and amendments, append-only';
GRANT INSERT, SELECT ON order_batch TO ferrex_payment;

CREATE TABLE outbox (
    seq          bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    id           uuid NOT NULL,
    topic        text NOT NULL,
    message_type text NOT NULL,
    key          text NOT NULL,
    at           timestamp with time zone NOT NULL,
    source       text NOT NULL,
    traceparent  text,
    body         bytea NOT NULL,
    created_at   timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT outbox_pkey PRIMARY KEY (seq)
);
COMMENT ON TABLE outbox IS 'Messages of committed changes that are not yet known to be published; a published one is deleted';
COMMENT ON COLUMN outbox.seq IS 'Order of insertion: within one aggregate, whose lock the writer holds, the order of commits';
GRANT DELETE, INSERT, SELECT, UPDATE ON outbox TO ferrex_payment;

GRANT SELECT, USAGE ON outbox_seq_seq TO ferrex_payment;

CREATE TABLE outgoing_transaction (
    hash       bytea NOT NULL,
    network    text NOT NULL,
    withdrawal uuid NOT NULL,
    attempt    integer NOT NULL,
    nonce      bigint NOT NULL,
    raw        bytea NOT NULL,
    stored_at  timestamp with time zone NOT NULL,
    height     bigint,
    block_hash bytea,
    succeeded  boolean,
    fee_paid   numeric(39,0),
    confirmed  boolean NOT NULL DEFAULT false,
    filler     boolean NOT NULL DEFAULT false,
    CONSTRAINT outgoing_transaction_pkey PRIMARY KEY (hash),
    CONSTRAINT outgoing_transaction_attempt_unique UNIQUE (withdrawal, attempt),
    CONSTRAINT outgoing_transaction_attempt_check CHECK ((attempt >= 1)),
    CONSTRAINT outgoing_transaction_block_hash_check CHECK ((octet_length(block_hash) = 32)),
    CONSTRAINT outgoing_transaction_check CHECK ((((height IS NULL) = (block_hash IS NULL)) AND ((height IS NULL) = (succeeded IS NULL)) AND ((height IS NULL) = (fee_paid IS NULL)))),
    CONSTRAINT outgoing_transaction_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT outgoing_transaction_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key),
    CONSTRAINT outgoing_transaction_nonce_check CHECK ((nonce >= 0)),
    CONSTRAINT outgoing_transaction_withdrawal_fkey FOREIGN KEY (withdrawal) REFERENCES payment.withdrawal(id)
);
COMMENT ON TABLE outgoing_transaction IS 'Signed bytes, stored before the first broadcast (F29 to F31, H022); all candidates of a withdrawal share its nonce (H028)';
CREATE INDEX outgoing_transaction_height ON outgoing_transaction USING btree (network, height);
CREATE UNIQUE INDEX outgoing_transaction_mined_unique ON outgoing_transaction USING btree (withdrawal) WHERE (height IS NOT NULL);
GRANT INSERT, SELECT ON outgoing_transaction TO ferrex_payment;

CREATE TABLE parked (
    id                   bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    consumer             text NOT NULL,
    message_id           uuid NOT NULL,
    message_type         text NOT NULL,
    source               text NOT NULL,
    at                   timestamp with time zone NOT NULL,
    topic                text NOT NULL,
    partition            integer NOT NULL,
    offset               bigint NOT NULL,
    key                  text NOT NULL,
    ordered              boolean NOT NULL,
    headers              jsonb NOT NULL,
    body                 bytea NOT NULL,
    behind               boolean NOT NULL,
    code                 text NOT NULL,
    reason               text NOT NULL,
    attempts             integer NOT NULL,
    parked_at            timestamp with time zone NOT NULL DEFAULT now(),
    redrive_requested_at timestamp with time zone,
    CONSTRAINT parked_pkey PRIMARY KEY (id),
    CONSTRAINT parked_consumer_message_id_key UNIQUE (consumer, message_id)
);
COMMENT ON TABLE parked IS 'Messages that could not be handled, or that wait behind such a one of their key, until staff redrive or discard them';
COMMENT ON COLUMN parked.behind IS 'Nothing is wrong with this one; an earlier one of its key is parked';
CREATE INDEX parked_key ON parked USING btree (consumer, topic, key, id) WHERE ordered;
CREATE INDEX parked_redrive ON parked USING btree (consumer, id) WHERE (redrive_requested_at IS NOT NULL);
GRANT DELETE, INSERT, SELECT, UPDATE ON parked TO ferrex_payment;

GRANT SELECT, USAGE ON parked_id_seq TO ferrex_payment;

CREATE TABLE placed_order (
    id              uuid NOT NULL,
    user_id         uuid NOT NULL,
    market          integer NOT NULL,
    number          bigint,
    client_order_id payment.order_name,
    side            payment.order_side NOT NULL,
    kind            payment.order_kind NOT NULL,
    tif             payment.order_tif NOT NULL,
    price           payment.units NOT NULL,
    quantity        payment.units,
    value           payment.positive_units,
    expires_at      timestamp with time zone,
    placed_at       timestamp with time zone NOT NULL,
    status          payment.order_status NOT NULL,
    refusal         smallint,
    filled          payment.units NOT NULL DEFAULT 0,
    filled_value    payment.units NOT NULL DEFAULT 0,
    fee             payment.units NOT NULL DEFAULT 0,
    stop            payment.positive_units,
    waiting         boolean NOT NULL DEFAULT false,
    display         payment.positive_units,
    self_trade      payment.order_self_trade,
    CONSTRAINT placed_order_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT placed_order_number_unique UNIQUE (market, number),
    CONSTRAINT placed_order_check CHECK (((NOT waiting) OR (stop IS NOT NULL)))
);
COMMENT ON TABLE placed_order IS 'Orders that were decided: what was asked for, and where it stands by engine.market.v1';
CREATE INDEX placed_order_client ON placed_order USING btree (user_id, client_order_id, id DESC) WHERE (client_order_id IS NOT NULL);
CREATE INDEX placed_order_expiring ON placed_order USING btree (expires_at) WHERE (((status)::text = 'open'::text) AND (expires_at IS NOT NULL));
CREATE INDEX placed_order_open ON placed_order USING btree (user_id, id DESC) WHERE ((status)::text = 'open'::text);
CREATE INDEX placed_order_waiting ON placed_order USING btree (market, side, stop) WHERE (((status)::text = 'open'::text) AND waiting);
GRANT INSERT, SELECT ON placed_order TO ferrex_payment;

CREATE TABLE published (
    first_seq     bigint NOT NULL,
    topics        text[] NOT NULL,
    partitions    integer[] NOT NULL,
    ids           uuid[] NOT NULL,
    message_types text[] NOT NULL,
    keys          text[] NOT NULL,
    ats           timestamp with time zone[] NOT NULL,
    sources       text[] NOT NULL,
    traceparents  text[] NOT NULL,
    bodies        bytea[] NOT NULL,
    published_at  timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT published_pkey PRIMARY KEY (first_seq)
);
COMMENT ON TABLE published IS 'Batches that a broker took from the outbox in the last hour, to be published again should the broker lose them';
COMMENT ON COLUMN published.first_seq IS 'As in the outbox, of the first message';
COMMENT ON COLUMN published.partitions IS 'Where the broker stored each; null for one that has gone over a transport that loses nothing';
CREATE INDEX published_at ON published USING brin (published_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON published TO ferrex_payment;

CREATE TABLE published_end (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    last_offset bigint NOT NULL,
    CONSTRAINT published_end_pkey PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE published_end IS 'The last place in each partition that the broker gave to a message of the outbox';
GRANT DELETE, INSERT, SELECT, UPDATE ON published_end TO ferrex_payment;

CREATE TABLE revoked_session (
    session_id uuid NOT NULL,
    position   bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT revoked_session_pkey PRIMARY KEY (session_id),
    CONSTRAINT revoked_session_position_key UNIQUE ("position")
);
COMMENT ON TABLE revoked_session IS 'Sessions that ended early; every replica reads it, since a consumer group tells only one of them';
GRANT DELETE, INSERT, SELECT, UPDATE ON revoked_session TO ferrex_payment;

GRANT SELECT, USAGE ON revoked_session_position_seq TO ferrex_payment;

CREATE TABLE schema_migration (
    set_name   text NOT NULL,
    version    bigint NOT NULL,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT schema_migration_pkey PRIMARY KEY (set_name, version)
);
COMMENT ON TABLE schema_migration IS 'Which changes this schema has had, with the checksum of each';
GRANT SELECT ON schema_migration TO ferrex_payment;

CREATE TABLE taken_order_name (
    user_id uuid NOT NULL,
    name    payment.order_name NOT NULL,
    id      uuid NOT NULL,
    CONSTRAINT taken_order_name_pkey PRIMARY KEY (user_id, name)
);
COMMENT ON TABLE taken_order_name IS 'A person''s own names of those of their orders that are asked for or open';
GRANT DELETE, INSERT, SELECT ON taken_order_name TO ferrex_payment;

CREATE TABLE trade (
    sequence   bigint NOT NULL,
    place      integer NOT NULL,
    market     integer NOT NULL,
    at         timestamp with time zone NOT NULL,
    price      payment.positive_units NOT NULL,
    quantity   payment.positive_units NOT NULL,
    value      payment.positive_units NOT NULL,
    taker      payment.order_side,
    buyer      uuid NOT NULL,
    buy_order  uuid NOT NULL,
    buy_fee    payment.units NOT NULL,
    seller     uuid NOT NULL,
    sell_order uuid NOT NULL,
    sell_fee   payment.units NOT NULL,
    CONSTRAINT trade_pkey PRIMARY KEY (sequence, place)
);
COMMENT ON TABLE trade IS 'Trades, append-only';
CREATE INDEX trade_buyer ON trade USING btree (buyer, sequence DESC, place DESC);
CREATE INDEX trade_seller ON trade USING btree (seller, sequence DESC, place DESC);
GRANT INSERT, SELECT ON trade TO ferrex_payment;

CREATE TABLE transfer (
    id            uuid NOT NULL,
    from_user     uuid NOT NULL,
    to_user       uuid NOT NULL,
    from_username text NOT NULL,
    to_username   text NOT NULL,
    asset         integer NOT NULL,
    amount        numeric(39,0) NOT NULL,
    note          text,
    created_at    timestamp with time zone NOT NULL,
    status        text NOT NULL,
    CONSTRAINT transfer_pkey PRIMARY KEY (id),
    CONSTRAINT transfer_amount_check CHECK ((amount > (0)::numeric)),
    CONSTRAINT transfer_asset_fkey FOREIGN KEY (asset) REFERENCES payment.asset(id),
    CONSTRAINT transfer_check CHECK ((from_user <> to_user)),
    CONSTRAINT transfer_note_check CHECK (((char_length(note) >= 1) AND (char_length(note) <= 140)))
);
COMMENT ON TABLE transfer IS 'What one person paid another, and where it stands as the flow of the same id says';
GRANT INSERT, SELECT ON transfer TO ferrex_payment;

CREATE TABLE wallet (
    family     text NOT NULL,
    xpub       text NOT NULL,
    hot_wallet bytea NOT NULL,
    next_index bigint NOT NULL DEFAULT 0,
    learned_at timestamp with time zone NOT NULL,
    CONSTRAINT wallet_pkey PRIMARY KEY (family),
    CONSTRAINT wallet_family_check CHECK ((family = 'evm'::text)),
    CONSTRAINT wallet_hot_wallet_check CHECK ((octet_length(hot_wallet) = 20)),
    CONSTRAINT wallet_next_index_check CHECK (((next_index >= 0) AND (next_index <= '2147483648'::bigint)))
);
COMMENT ON TABLE wallet IS 'The public side of the signer''s wallet; another key under the same family is refused, never taken over';
GRANT INSERT, SELECT ON wallet TO ferrex_payment;

CREATE TABLE wallet_release (
    id          bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    network     text NOT NULL,
    next_nonce  bigint NOT NULL,
    staff       uuid NOT NULL,
    reason      text NOT NULL,
    released_at timestamp with time zone NOT NULL,
    CONSTRAINT wallet_release_pkey PRIMARY KEY (id),
    CONSTRAINT wallet_release_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key),
    CONSTRAINT wallet_release_next_nonce_check CHECK ((next_nonce >= 0))
);
COMMENT ON TABLE wallet_release IS 'Each time staff let a wallet pay again that was used elsewhere (H027), append-only';
GRANT INSERT, SELECT ON wallet_release TO ferrex_payment;

GRANT SELECT, USAGE ON wallet_release_id_seq TO ferrex_payment;

CREATE TABLE withdrawal (
    id            uuid NOT NULL,
    user_id       uuid NOT NULL,
    asset         integer NOT NULL,
    network       text NOT NULL,
    address       bytea NOT NULL,
    amount        numeric(39,0) NOT NULL,
    fee           numeric(39,0) NOT NULL,
    internal_user uuid,
    requested_at  timestamp with time zone NOT NULL,
    status        text NOT NULL,
    waiting_for   text,
    is_final      boolean NOT NULL DEFAULT false,
    CONSTRAINT withdrawal_pkey PRIMARY KEY (id),
    CONSTRAINT withdrawal_address_check CHECK ((octet_length(address) = 20)),
    CONSTRAINT withdrawal_amount_check CHECK ((amount > (0)::numeric)),
    CONSTRAINT withdrawal_asset_fkey FOREIGN KEY (asset) REFERENCES payment.asset(id),
    CONSTRAINT withdrawal_fee_check CHECK ((fee >= (0)::numeric)),
    CONSTRAINT withdrawal_network_fkey FOREIGN KEY (network) REFERENCES payment.network(key)
);
COMMENT ON TABLE withdrawal IS 'What was asked for, and where it stands as the flow of the same id says';
CREATE INDEX withdrawal_open ON withdrawal USING btree (network, id) WHERE (NOT is_final);
CREATE INDEX withdrawal_user ON withdrawal USING btree (user_id, id DESC);
GRANT INSERT, SELECT ON withdrawal TO ferrex_payment;

CREATE OR REPLACE FUNCTION keep_movements(lines payment.movement_entry[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'payment'
AS $function$
BEGIN
    INSERT INTO movement (user_id, sequence, asset, command, reason, reference, at, credited, debited, reserved, released, owed, repaid,
                          fee)
    SELECT l.* FROM unnest(lines) AS l;
EXCEPTION WHEN unique_violation THEN
    INSERT INTO movement (user_id, sequence, asset, command, reason, reference, at, credited, debited, reserved, released, owed, repaid,
                          fee)
    SELECT l.* FROM unnest(lines) AS l
    ON CONFLICT DO NOTHING;
END
$function$
;
