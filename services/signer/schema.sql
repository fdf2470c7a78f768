-- Schema "signer" as its migrations leave it. Written by its schema test with UPDATE_SNAPSHOTS=1; not to be edited.

CREATE TABLE cancelled (
    intent       uuid NOT NULL,
    cancelled_at timestamp with time zone NOT NULL,
    CONSTRAINT cancelled_pkey PRIMARY KEY (intent)
);
COMMENT ON TABLE cancelled IS 'Intents that must never be signed, since their money went back';
GRANT INSERT, SELECT ON cancelled TO ferrex_signer;

CREATE TABLE inbox (
    consumer    text NOT NULL,
    message_id  uuid NOT NULL,
    received_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id)
);
COMMENT ON TABLE inbox IS 'Messages that took effect or were parked, in the transaction that did it';
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON inbox TO ferrex_signer;

CREATE TABLE intent (
    id         uuid NOT NULL,
    chain_id   bigint NOT NULL,
    address    bytea NOT NULL,
    nonce      bigint NOT NULL,
    asset      bigint NOT NULL,
    contract   bytea,
    payee      bytea NOT NULL,
    amount     numeric(39,0) NOT NULL,
    fee_max    numeric(39,0) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT intent_pkey PRIMARY KEY (id),
    CONSTRAINT intent_nonce UNIQUE (chain_id, address, nonce),
    CONSTRAINT intent_amount_check CHECK ((amount > (0)::numeric)),
    CONSTRAINT intent_chain_id_address_fkey FOREIGN KEY (chain_id, address) REFERENCES signer.wallet(chain_id, address),
    CONSTRAINT intent_contract_check CHECK ((length(contract) = 20)),
    CONSTRAINT intent_fee_max_check CHECK ((fee_max >= (0)::numeric)),
    CONSTRAINT intent_nonce_check CHECK ((nonce >= 0)),
    CONSTRAINT intent_payee_check CHECK ((length(payee) = 20))
);
COMMENT ON TABLE intent IS 'A payment that was signed at least once; its body never changes';
CREATE INDEX intent_velocity ON intent USING btree (chain_id, created_at);
GRANT INSERT, SELECT ON intent TO ferrex_signer;

CREATE TABLE keystore (
    family       text NOT NULL,
    account_xpub text NOT NULL,
    hot_wallet   bytea NOT NULL,
    created_at   timestamp with time zone NOT NULL,
    CONSTRAINT keystore_pkey PRIMARY KEY (family),
    CONSTRAINT keystore_hot_wallet_check CHECK ((length(hot_wallet) = 20))
);
COMMENT ON TABLE keystore IS 'The public side of the keystore that signed here first';
GRANT INSERT, SELECT ON keystore TO ferrex_signer;

CREATE TABLE nonce_advance (
    chain_id          bigint NOT NULL,
    address           bytea NOT NULL,
    next_nonce_before bigint NOT NULL,
    next_nonce        bigint NOT NULL,
    staff             uuid NOT NULL,
    reason            text NOT NULL,
    at                timestamp with time zone NOT NULL,
    CONSTRAINT nonce_advance_pkey PRIMARY KEY (chain_id, address, next_nonce),
    CONSTRAINT nonce_advance_chain_id_address_fkey FOREIGN KEY (chain_id, address) REFERENCES signer.wallet(chain_id, address),
    CONSTRAINT nonce_advance_check CHECK ((next_nonce > next_nonce_before))
);
COMMENT ON TABLE nonce_advance IS 'Each time people let a wallet go on behind transactions that were not signed here (H027), append-only';
GRANT INSERT, SELECT ON nonce_advance TO ferrex_signer;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON outbox TO ferrex_signer;

GRANT SELECT, USAGE ON outbox_seq_seq TO ferrex_signer;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON parked TO ferrex_signer;

GRANT SELECT, USAGE ON parked_id_seq TO ferrex_signer;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON published TO ferrex_signer;

CREATE TABLE published_end (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    last_offset bigint NOT NULL,
    CONSTRAINT published_end_pkey PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE published_end IS 'The last place in each partition that the broker gave to a message of the outbox';
GRANT DELETE, INSERT, SELECT, UPDATE ON published_end TO ferrex_signer;

CREATE TABLE schema_migration (
    set_name   text NOT NULL,
    version    bigint NOT NULL,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT schema_migration_pkey PRIMARY KEY (set_name, version)
);
COMMENT ON TABLE schema_migration IS 'Which changes this schema has had, with the checksum of each';
GRANT SELECT ON schema_migration TO ferrex_signer;

CREATE TABLE signature (
    intent                   uuid NOT NULL,
    attempt                  integer NOT NULL,
    purpose                  text NOT NULL,
    raw                      bytea NOT NULL,
    hash                     bytea NOT NULL,
    r                        bytea NOT NULL,
    max_fee_per_gas          numeric(39,0) NOT NULL,
    max_priority_fee_per_gas numeric(39,0) NOT NULL,
    signed_at                timestamp with time zone NOT NULL,
    CONSTRAINT signature_pkey PRIMARY KEY (intent, attempt),
    CONSTRAINT signature_hash UNIQUE (hash),
    CONSTRAINT signature_r UNIQUE (r),
    CONSTRAINT signature_attempt_check CHECK ((attempt > 0)),
    CONSTRAINT signature_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT signature_intent_fkey FOREIGN KEY (intent) REFERENCES signer.intent(id),
    CONSTRAINT signature_purpose_check CHECK ((purpose = ANY (ARRAY['payment'::text, 'filler'::text]))),
    CONSTRAINT signature_r_check CHECK ((length(r) = 32))
);
COMMENT ON TABLE signature IS 'Every signature ever made, stored before it left';
GRANT INSERT, SELECT ON signature TO ferrex_signer;

CREATE TABLE wallet (
    chain_id   bigint NOT NULL,
    address    bytea NOT NULL,
    next_nonce bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT wallet_pkey PRIMARY KEY (chain_id, address),
    CONSTRAINT wallet_address_check CHECK ((length(address) = 20)),
    CONSTRAINT wallet_chain_id_check CHECK ((chain_id > 0)),
    CONSTRAINT wallet_next_nonce_check CHECK ((next_nonce >= 0))
);
COMMENT ON TABLE wallet IS 'The next nonce of a paying address on a chain';
GRANT INSERT, SELECT ON wallet TO ferrex_signer;
