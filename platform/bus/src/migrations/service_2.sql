CREATE TABLE published (
    seq          bigint      PRIMARY KEY,
    id           uuid        NOT NULL,
    topic        text        NOT NULL,
    message_type text        NOT NULL,
    key          text        NOT NULL,
    at           timestamptz NOT NULL,
    source       text        NOT NULL,
    traceparent  text,
    body         bytea       NOT NULL,
    partition    integer     NOT NULL,
    "offset"     bigint      NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);
-- For the cleanup by age.
CREATE INDEX published_at ON published USING brin (published_at);
COMMENT ON TABLE published IS 'What a broker took from the outbox in the last hour, to be published again should the broker lose it';
COMMENT ON COLUMN published.seq IS 'As in the outbox';
COMMENT ON COLUMN published."offset" IS 'Where the broker said that it stored it';
