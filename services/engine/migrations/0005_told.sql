CREATE TABLE told (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    last_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE told IS 'The last place in each partition that a broker gave to an event of the journal';

CREATE TABLE told_upto (
    journal_id bigint PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE told_upto IS 'Where the relay was, a row a minute for an hour: from the oldest it tells again what a broker has lost';
