CREATE TABLE contact (
    user_id  uuid   PRIMARY KEY,
    username text   NOT NULL,
    email    text   NOT NULL,
    locale   text   NOT NULL DEFAULT 'en',
    -- of the user's record at core; an older event changes nothing
    version  bigint NOT NULL
);
COMMENT ON TABLE contact IS 'How to reach a person, learnt from the events of core';

CREATE TABLE delivery (
    id              uuid        PRIMARY KEY,
    user_id         uuid,
    -- NULL: the address of the person at the time of sending
    email           text,
    template        text        NOT NULL,
    -- values of the template, codes and links among them; removed once nothing more is sent
    params          jsonb,
    state           text        NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    reason          text,
    -- whether the last attempt failed because the server could not be reached, rather than over this mail
    server_away     boolean     NOT NULL DEFAULT false,
    next_attempt_at timestamptz,
    message_id      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    CONSTRAINT delivery_state CHECK (state IN ('queued', 'sending', 'waiting', 'stuck', 'sent', 'failed')),
    CONSTRAINT delivery_reachable CHECK (user_id IS NOT NULL OR email IS NOT NULL),
    CONSTRAINT delivery_params_go_with_the_end CHECK ((params IS NULL) = (state IN ('sent', 'failed')))
);
COMMENT ON TABLE delivery IS 'The delivery log: every mail, written before it is sent (H084)';
-- what the retry job looks for, and the list for staff
CREATE INDEX delivery_open ON delivery (state, id) WHERE state NOT IN ('sent', 'failed');
CREATE INDEX delivery_user ON delivery (user_id, id);
