CREATE TABLE schedule (
    job        text        PRIMARY KEY CONSTRAINT schedule_job_form CHECK (job ~ '^[a-z][a-z0-9_]{0,62}$'),
    expression text        NOT NULL,
    time_zone  text        NOT NULL,
    catch_up   text        NOT NULL CONSTRAINT schedule_catch_up CHECK (catch_up IN ('run_once', 'run_all', 'skip')),
    enabled    boolean     NOT NULL,
    -- The first moment not yet ticked or skipped; only ever moves forward, so a clock that steps back ticks nothing twice.
    next_at    timestamptz NOT NULL,
    -- How many moments passed without a tick, by the policy.
    skipped    bigint      NOT NULL DEFAULT 0
);
COMMENT ON TABLE schedule IS 'Which job is due when; the work itself is done elsewhere';

CREATE TABLE run (
    job           text        NOT NULL REFERENCES schedule,
    scheduled_for timestamptz NOT NULL,
    ticked_at     timestamptz NOT NULL,
    -- Whose turn it was; for finding out what a deposed leader did.
    epoch         bigint      NOT NULL,
    -- I16: whoever leads, and however often, a job has one tick for each of its moments.
    CONSTRAINT run_once PRIMARY KEY (job, scheduled_for)
);
COMMENT ON TABLE run IS 'Ticks that were given, one for each job and moment; older ones are forgotten after 30 days';
-- Forgetting old runs.
CREATE INDEX run_by_age ON run (ticked_at);

CREATE TABLE leader (
    only_row boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    holder   uuid        NOT NULL,
    epoch    bigint      NOT NULL,
    until    timestamptz NOT NULL
);
COMMENT ON TABLE leader IS 'Who gives the ticks. A tick transaction share-locks this row and checks the epoch, so a leader that slept cannot act after its successor began';
