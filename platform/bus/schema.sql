-- Schema "bus" as its migrations leave it. Written by its schema test with UPDATE_SNAPSHOTS=1; not to be edited.

CREATE TYPE record_batch_entry AS (
    topic     text,
    partition integer,
    keys      bytea[],
    headers   text[],
    bodies    bytea[]
);

CREATE TABLE claim (
    consumer_group text NOT NULL,
    topic          text NOT NULL,
    partition      integer NOT NULL,
    member         uuid,
    epoch          bigint NOT NULL DEFAULT 0,
    position       bigint NOT NULL DEFAULT 0,
    CONSTRAINT claim_pkey PRIMARY KEY (consumer_group, topic, partition),
    CONSTRAINT claim_consumer_group_fkey FOREIGN KEY (consumer_group) REFERENCES bus.consumer_group(name)
);
COMMENT ON TABLE claim IS 'Which member reads a partition and how far the group has come';
COMMENT ON COLUMN claim.epoch IS 'Rises with each change of the owner; a position is stored only under the epoch it was read in, so a member that was taken for dead cannot move it';
GRANT DELETE, INSERT, SELECT, UPDATE ON claim TO ferrex_bus;

CREATE TABLE consumer_group (
    name text NOT NULL,
    CONSTRAINT consumer_group_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE consumer_group IS 'Its row is the lock under which membership of the group changes';
GRANT DELETE, INSERT, SELECT, UPDATE ON consumer_group TO ferrex_bus;

CREATE TABLE head (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    CONSTRAINT head_pkey PRIMARY KEY (topic, partition),
    CONSTRAINT head_topic_fkey FOREIGN KEY (topic) REFERENCES bus.topic(name)
);
COMMENT ON TABLE head IS 'The end of each partition; its row is locked from giving out offsets to the commit, so offsets have no gap and appear in order';
GRANT DELETE, INSERT, SELECT, UPDATE ON head TO ferrex_bus;

CREATE TABLE member (
    consumer_group text NOT NULL,
    id             uuid NOT NULL,
    topics         text[] NOT NULL,
    seen_at        timestamp with time zone NOT NULL,
    CONSTRAINT member_pkey PRIMARY KEY (consumer_group, id),
    CONSTRAINT member_consumer_group_fkey FOREIGN KEY (consumer_group) REFERENCES bus.consumer_group(name)
);
COMMENT ON TABLE member IS 'Replicas that share the partitions of their topics; one that is not seen for the session time is removed by the others';
GRANT DELETE, INSERT, SELECT, UPDATE ON member TO ferrex_bus;

CREATE VIEW record AS
 SELECT b.topic,
    b.partition,
    b.first_offset + m.place - 1 AS "offset",
    b.at,
    m.key,
    m.headers,
    m.body
   FROM bus.record_batch b
     CROSS JOIN LATERAL UNNEST(b.keys, b.headers, b.bodies) WITH ORDINALITY m(key, headers, body, place);

GRANT DELETE, INSERT, SELECT, UPDATE ON record TO ferrex_bus;

CREATE TABLE record_batch (
    topic        text NOT NULL,
    partition    integer NOT NULL,
    first_offset bigint NOT NULL,
    last_offset  bigint NOT NULL,
    at           timestamp with time zone NOT NULL DEFAULT now(),
    keys         bytea[] NOT NULL,
    headers      text[] NOT NULL,
    bodies       bytea[] NOT NULL,
    CONSTRAINT record_batch_pkey PRIMARY KEY (topic, partition, last_offset)
);
COMMENT ON TABLE record_batch IS 'The log, by what was published together; the elements of the arrays are messages in the order of their offsets';
COMMENT ON COLUMN record_batch.headers IS 'JSON pairs of name and value, for each message';
GRANT DELETE, INSERT, SELECT, UPDATE ON record_batch TO ferrex_bus;

CREATE TABLE schema_migration (
    set_name   text NOT NULL,
    version    bigint NOT NULL,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT schema_migration_pkey PRIMARY KEY (set_name, version)
);
COMMENT ON TABLE schema_migration IS 'Which changes this schema has had, with the checksum of each';
GRANT SELECT ON schema_migration TO ferrex_bus;

CREATE TABLE topic (
    name            text NOT NULL,
    partitions      integer NOT NULL,
    retention_hours integer NOT NULL,
    CONSTRAINT topic_pkey PRIMARY KEY (name),
    CONSTRAINT topic_partitions_check CHECK (((partitions >= 1) AND (partitions <= 1024))),
    CONSTRAINT topic_retention_hours_check CHECK ((retention_hours > 0))
);
COMMENT ON TABLE topic IS 'What can be published to';
GRANT DELETE, INSERT, SELECT, UPDATE ON topic TO ferrex_bus;
