-- What a broker took is kept by the batch: a row for each message, with its index entries, cost as much as all the rest that the
-- database did for it. What the old table holds is at most an hour old and of use only after a broker has lost it.

DROP TABLE published;

CREATE TABLE published (
    first_seq     bigint        PRIMARY KEY,
    topics        text[]        NOT NULL,
    partitions    integer[]     NOT NULL,
    ids           uuid[]        NOT NULL,
    message_types text[]        NOT NULL,
    keys          text[]        NOT NULL,
    ats           timestamptz[] NOT NULL,
    sources       text[]        NOT NULL,
    traceparents  text[]        NOT NULL,
    bodies        bytea[]       NOT NULL,
    published_at  timestamptz   NOT NULL DEFAULT now()
);
-- Compressing costs more than writing.
ALTER TABLE published
    ALTER topics SET STORAGE EXTERNAL, ALTER partitions SET STORAGE EXTERNAL, ALTER ids SET STORAGE EXTERNAL,
    ALTER message_types SET STORAGE EXTERNAL, ALTER keys SET STORAGE EXTERNAL, ALTER ats SET STORAGE EXTERNAL,
    ALTER sources SET STORAGE EXTERNAL, ALTER traceparents SET STORAGE EXTERNAL, ALTER bodies SET STORAGE EXTERNAL;
-- For the cleanup by age.
CREATE INDEX published_at ON published USING brin (published_at);
COMMENT ON TABLE published IS 'Batches that a broker took from the outbox in the last hour, to be published again should the broker lose them';
COMMENT ON COLUMN published.first_seq IS 'As in the outbox, of the first message';
COMMENT ON COLUMN published.partitions IS 'Where the broker stored each; null for one that has gone over a transport that loses nothing';

CREATE TABLE published_end (
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    last_offset bigint  NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE published_end IS 'The last place in each partition that the broker gave to a message of the outbox';
