-- Schema "cron" as its migrations leave it. Written by its schema test with UPDATE_SNAPSHOTS=1; not to be edited.

CREATE TABLE inbox (
    consumer    text NOT NULL,
    message_id  uuid NOT NULL,
    received_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id)
);
COMMENT ON TABLE inbox IS 'Messages that took effect or were parked, in the transaction that did it';
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON inbox TO ferrex_cron;

CREATE TABLE leader (
    only_row boolean NOT NULL DEFAULT true,
    holder   uuid NOT NULL,
    epoch    bigint NOT NULL,
    until    timestamp with time zone NOT NULL,
    CONSTRAINT leader_pkey PRIMARY KEY (only_row),
    CONSTRAINT leader_only_row_check CHECK (only_row)
);
COMMENT ON TABLE leader IS 'Who gives the ticks. A tick transaction share-locks this row and checks the epoch, so a leader that slept cannot act after its successor began';
GRANT DELETE, INSERT, SELECT, UPDATE ON leader TO ferrex_cron;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON outbox TO ferrex_cron;

GRANT SELECT, USAGE ON outbox_seq_seq TO ferrex_cron;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON parked TO ferrex_cron;

GRANT SELECT, USAGE ON parked_id_seq TO ferrex_cron;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON published TO ferrex_cron;

CREATE TABLE published_end (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    last_offset bigint NOT NULL,
    CONSTRAINT published_end_pkey PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE published_end IS 'The last place in each partition that the broker gave to a message of the outbox';
GRANT DELETE, INSERT, SELECT, UPDATE ON published_end TO ferrex_cron;

CREATE TABLE run (
    job           text NOT NULL,
    scheduled_for timestamp with time zone NOT NULL,
    ticked_at     timestamp with time zone NOT NULL,
    epoch         bigint NOT NULL,
    CONSTRAINT run_once PRIMARY KEY (job, scheduled_for),
    CONSTRAINT run_job_fkey FOREIGN KEY (job) REFERENCES cron.schedule(job)
);
COMMENT ON TABLE run IS 'Ticks that were given, one for each job and moment; older ones are forgotten after 30 days';
CREATE INDEX run_by_age ON run USING btree (ticked_at);
GRANT DELETE, INSERT, SELECT ON run TO ferrex_cron;

CREATE TABLE schedule (
    job        text NOT NULL,
    expression text NOT NULL,
    time_zone  text NOT NULL,
    catch_up   text NOT NULL,
    enabled    boolean NOT NULL,
    next_at    timestamp with time zone NOT NULL,
    skipped    bigint NOT NULL DEFAULT 0,
    CONSTRAINT schedule_pkey PRIMARY KEY (job),
    CONSTRAINT schedule_catch_up CHECK ((catch_up = ANY (ARRAY['run_once'::text, 'run_all'::text, 'skip'::text]))),
    CONSTRAINT schedule_job_form CHECK ((job ~ '^[a-z][a-z0-9_]{0,62}$'::text))
);
COMMENT ON TABLE schedule IS 'Which job is due when; the work itself is done elsewhere';
GRANT DELETE, INSERT, SELECT, UPDATE ON schedule TO ferrex_cron;

CREATE TABLE schema_migration (
    set_name   text NOT NULL,
    version    bigint NOT NULL,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT schema_migration_pkey PRIMARY KEY (set_name, version)
);
COMMENT ON TABLE schema_migration IS 'Which changes this schema has had, with the checksum of each';
GRANT SELECT ON schema_migration TO ferrex_cron;
