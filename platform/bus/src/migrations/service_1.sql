CREATE TABLE outbox (
    seq          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid        NOT NULL,
    topic        text        NOT NULL,
    message_type text        NOT NULL,
    key          text        NOT NULL,
    at           timestamptz NOT NULL,
    source       text        NOT NULL,
    traceparent  text,
    body         bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE outbox IS 'Messages of committed changes that are not yet known to be published; a published one is deleted';
COMMENT ON COLUMN outbox.seq IS 'Order of insertion: within one aggregate, whose lock the writer holds, the order of commits';

CREATE TABLE inbox (
    consumer    text        NOT NULL,
    message_id  uuid        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    -- What makes an effect happen once: a second delivery waits here for the first and then finds it done.
    PRIMARY KEY (consumer, message_id)
);
-- For the cleanup by age.
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);
COMMENT ON TABLE inbox IS 'Messages that took effect or were parked, in the transaction that did it';

CREATE TABLE parked (
    id                   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer             text        NOT NULL,
    message_id           uuid        NOT NULL,
    message_type         text        NOT NULL,
    source               text        NOT NULL,
    at                   timestamptz NOT NULL,
    topic                text        NOT NULL,
    partition            integer     NOT NULL,
    "offset"             bigint      NOT NULL,
    key                  text        NOT NULL,
    ordered              boolean     NOT NULL,
    headers              jsonb       NOT NULL,
    body                 bytea       NOT NULL,
    behind               boolean     NOT NULL,
    code                 text        NOT NULL,
    reason               text        NOT NULL,
    attempts             integer     NOT NULL,
    parked_at            timestamptz NOT NULL DEFAULT now(),
    redrive_requested_at timestamptz,
    UNIQUE (consumer, message_id)
);
-- Asked for each message that is handled: is its key waiting?
CREATE INDEX parked_key ON parked (consumer, topic, key, id) WHERE ordered;
-- Asked twice a second by each consumer: what shall be tried again?
CREATE INDEX parked_redrive ON parked (consumer, id) WHERE redrive_requested_at IS NOT NULL;
COMMENT ON TABLE parked IS 'Messages that could not be handled, or that wait behind such a one of their key, until staff redrive or discard them';
COMMENT ON COLUMN parked.behind IS 'Nothing is wrong with this one; an earlier one of its key is parked';
