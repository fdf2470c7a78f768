CREATE TABLE inbound_event (
    id            uuid        PRIMARY KEY,
    source        text        NOT NULL,
    event_id      text        NOT NULL,
    received_at   timestamptz NOT NULL,
    -- The signed headers and the content type, as they came.
    headers       jsonb       NOT NULL,
    -- The very bytes that were signed.
    body          bytea       NOT NULL,
    -- What the events of a source are ordered by on the bus.
    order_key     text        NOT NULL,
    status        text        NOT NULL CONSTRAINT inbound_event_status CHECK (status IN ('stored', 'forwarded')),
    forwarded_at  timestamptz,
    -- The effect that put it on the bus last: an effect that is performed twice puts it there once.
    last_effect   uuid,
    -- I06: however often and from however many connections a sender repeats an event, there is one.
    CONSTRAINT inbound_event_once UNIQUE (source, event_id)
);
COMMENT ON TABLE inbound_event IS 'What outside systems told us with a valid signature, as raw bytes; never changed, only marked';
-- The sweep for events that were stored and never forwarded.
CREATE INDEX inbound_event_stored ON inbound_event (received_at) WHERE status = 'stored';

CREATE TABLE quarantine (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text        NOT NULL,
    reason      text        NOT NULL,
    received_at timestamptz NOT NULL,
    headers     jsonb       NOT NULL,
    body        bytea       NOT NULL
);
COMMENT ON TABLE quarantine IS 'What came to a known source and was refused: a bounded number a source, the oldest give way';
-- Keeping a source within its bound, newest first.
CREATE INDEX quarantine_by_source ON quarantine (source, id);
