CREATE TABLE topic (
    name            text    PRIMARY KEY,
    partitions      integer NOT NULL CHECK (partitions BETWEEN 1 AND 1024),
    retention_hours integer NOT NULL CHECK (retention_hours > 0)
);
COMMENT ON TABLE topic IS 'What can be published to';

CREATE TABLE head (
    topic       text    NOT NULL REFERENCES topic (name),
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE head IS 'The end of each partition; its row is locked from giving out offsets to the commit, so offsets have no gap and appear in order';

CREATE TABLE record (
    topic     text        NOT NULL,
    partition integer     NOT NULL,
    "offset"  bigint      NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    key       bytea,
    headers   text        NOT NULL,
    body      bytea,
    PRIMARY KEY (topic, partition, "offset")
);
COMMENT ON TABLE record IS 'The log; headers are JSON pairs of name and value';

CREATE TABLE consumer_group (
    name text PRIMARY KEY
);
COMMENT ON TABLE consumer_group IS 'Its row is the lock under which membership of the group changes';

CREATE TABLE member (
    consumer_group text        NOT NULL REFERENCES consumer_group (name),
    id             uuid        NOT NULL,
    topics         text[]      NOT NULL,
    seen_at        timestamptz NOT NULL,
    PRIMARY KEY (consumer_group, id)
) WITH (fillfactor = 50);
COMMENT ON TABLE member IS 'Replicas that share the partitions of their topics; one that is not seen for the session time is removed by the others';

CREATE TABLE claim (
    consumer_group text    NOT NULL REFERENCES consumer_group (name),
    topic          text    NOT NULL,
    partition      integer NOT NULL,
    member         uuid,
    epoch          bigint  NOT NULL DEFAULT 0,
    position       bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE claim IS 'Which member reads a partition and how far the group has come';
COMMENT ON COLUMN claim.epoch IS 'Rises with each change of the owner; a position is stored only under the epoch it was read in, so a member that was taken for dead cannot move it';
