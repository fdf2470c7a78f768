-- What is published together to one partition is one row instead of a row a message: the engine's relay tells of some fifty orders at
-- a time, one or two messages each, and each message was a row with an entry of an index.
CREATE TABLE record_batch (
    topic        text        NOT NULL,
    partition    integer     NOT NULL,
    first_offset bigint      NOT NULL,
    last_offset  bigint      NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    keys         bytea[]     NOT NULL,
    headers      text[]      NOT NULL,
    bodies       bytea[]     NOT NULL,
    -- by its end, so that the batch with a position, or the next after it, is the first from there on
    PRIMARY KEY (topic, partition, last_offset)
);
COMMENT ON TABLE record_batch IS 'The log, by what was published together; the elements of the arrays are messages in the order of their offsets';
COMMENT ON COLUMN record_batch.headers IS 'JSON pairs of name and value, for each message';

-- Bodies are JSON that differs little from one message to the next. A server that was built without lz4 keeps its own way.
DO $$
BEGIN
    ALTER TABLE record_batch ALTER COLUMN keys SET COMPRESSION lz4, ALTER COLUMN headers SET COMPRESSION lz4,
                             ALTER COLUMN bodies SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;

INSERT INTO record_batch (topic, partition, first_offset, last_offset, at, keys, headers, bodies)
SELECT topic, partition, "offset", "offset", at, ARRAY[key], ARRAY[headers], ARRAY[body] FROM record;
DROP TABLE record;

CREATE VIEW record AS
SELECT b.topic, b.partition, b.first_offset + m.place - 1 AS "offset", b.at, m.key, m.headers, m.body
  FROM record_batch b
  CROSS JOIN LATERAL unnest(b.keys, b.headers, b.bodies) WITH ORDINALITY AS m (key, headers, body, place);
COMMENT ON VIEW record IS 'The log by the message';

-- A batch on its way in; its fields are those that the bus sends, in order.
CREATE TYPE record_batch_entry AS (topic text, partition integer, keys bytea[], headers text[], bodies bytea[]);
