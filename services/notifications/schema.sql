-- Schema "notifications" as its migrations leave it. Written by its schema test with UPDATE_SNAPSHOTS=1; not to be edited.

CREATE TABLE contact (
    user_id  uuid NOT NULL,
    username text NOT NULL,
    email    text NOT NULL,
    locale   text NOT NULL DEFAULT 'en'::text,
    version  bigint NOT NULL,
    CONSTRAINT contact_pkey PRIMARY KEY (user_id)
);
COMMENT ON TABLE contact IS 'How to reach a person, learnt from the events of core';
GRANT DELETE, INSERT, SELECT, UPDATE ON contact TO ferrex_notifications;

CREATE TABLE delivery (
    id              uuid NOT NULL,
    user_id         uuid,
    email           text,
    template        text NOT NULL,
    params          jsonb,
    state           text NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    reason          text,
    server_away     boolean NOT NULL DEFAULT false,
    next_attempt_at timestamp with time zone,
    message_id      text NOT NULL,
    created_at      timestamp with time zone NOT NULL,
    finished_at     timestamp with time zone,
    CONSTRAINT delivery_pkey PRIMARY KEY (id),
    CONSTRAINT delivery_params_go_with_the_end CHECK (((params IS NULL) = (state = ANY (ARRAY['sent'::text, 'failed'::text])))),
    CONSTRAINT delivery_reachable CHECK (((user_id IS NOT NULL) OR (email IS NOT NULL))),
    CONSTRAINT delivery_state CHECK ((state = ANY (ARRAY['queued'::text, 'sending'::text, 'waiting'::text, 'stuck'::text, 'sent'::text, 'failed'::text])))
);
COMMENT ON TABLE delivery IS 'The delivery log: every mail, written before it is sent (H084)';
CREATE INDEX delivery_open ON delivery USING btree (state, id) WHERE (state <> ALL (ARRAY['sent'::text, 'failed'::text]));
CREATE INDEX delivery_user ON delivery USING btree (user_id, id);
GRANT INSERT, SELECT, UPDATE ON delivery TO ferrex_notifications;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON flow TO ferrex_notifications;

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
    CONSTRAINT flow_effect_flow_id_fkey FOREIGN KEY (flow_id) REFERENCES notifications.flow(id),
    CONSTRAINT flow_effect_status CHECK ((status = ANY (ARRAY['pending'::text, 'done'::text, 'unknown'::text, 'revoked'::text, 'parked'::text])))
);
COMMENT ON TABLE flow_effect IS 'What flows want done outside, written with the step that wants it and performed afterwards.';
CREATE INDEX flow_effect_due ON flow_effect USING btree (kind, due_at) WHERE (status = 'pending'::text);
GRANT DELETE, INSERT, SELECT, UPDATE ON flow_effect TO ferrex_notifications;

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
    CONSTRAINT flow_history_flow_id_fkey FOREIGN KEY (flow_id) REFERENCES notifications.flow(id),
    CONSTRAINT flow_history_input CHECK (((step = 0) = (input IS NULL)))
);
COMMENT ON TABLE flow_history IS 'Every step of every flow: what came in, from whom, what state it led to. Replaying the inputs gives the state.';
GRANT DELETE, INSERT, SELECT, UPDATE ON flow_history TO ferrex_notifications;

CREATE TABLE inbox (
    consumer    text NOT NULL,
    message_id  uuid NOT NULL,
    received_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id)
);
COMMENT ON TABLE inbox IS 'Messages that took effect or were parked, in the transaction that did it';
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON inbox TO ferrex_notifications;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON outbox TO ferrex_notifications;

GRANT SELECT, USAGE ON outbox_seq_seq TO ferrex_notifications;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON parked TO ferrex_notifications;

GRANT SELECT, USAGE ON parked_id_seq TO ferrex_notifications;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON published TO ferrex_notifications;

CREATE TABLE published_end (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    last_offset bigint NOT NULL,
    CONSTRAINT published_end_pkey PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE published_end IS 'The last place in each partition that the broker gave to a message of the outbox';
GRANT DELETE, INSERT, SELECT, UPDATE ON published_end TO ferrex_notifications;

CREATE TABLE schema_migration (
    set_name   text NOT NULL,
    version    bigint NOT NULL,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT schema_migration_pkey PRIMARY KEY (set_name, version)
);
COMMENT ON TABLE schema_migration IS 'Which changes this schema has had, with the checksum of each';
GRANT SELECT ON schema_migration TO ferrex_notifications;
