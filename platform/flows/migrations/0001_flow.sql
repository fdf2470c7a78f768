CREATE TABLE flow (
    id            uuid        PRIMARY KEY,
    kind          text        NOT NULL,
    -- number of steps taken; each step checks that it is still the one it read
    step          integer     NOT NULL,
    label         text        NOT NULL,
    -- form of `state`, raised when the form changes
    version       integer     NOT NULL,
    state         jsonb       NOT NULL,
    is_final      boolean     NOT NULL,
    waiting_for   text,
    wake_at       timestamptz,
    parked_reason text,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT flow_step_positive CHECK (step > 0)
);
COMMENT ON TABLE flow IS 'Persisted state machines, one row each. Lock order: flow, then its effects.';
-- the timers of a kind that are due
CREATE INDEX flow_wake ON flow (kind, wake_at) WHERE wake_at IS NOT NULL AND parked_reason IS NULL;
-- what staff must look at
CREATE INDEX flow_parked ON flow (kind, updated_at) WHERE parked_reason IS NOT NULL;

CREATE TABLE flow_history (
    flow_id     uuid        NOT NULL REFERENCES flow (id),
    step        integer     NOT NULL,
    at          timestamptz NOT NULL,
    actor       text        NOT NULL,
    -- NULL only in step 0, which records the state before the first input
    input       jsonb,
    label       text        NOT NULL,
    version     integer     NOT NULL,
    state       jsonb       NOT NULL,
    waiting_for text,
    wake_at     timestamptz,
    effects     text[]      NOT NULL,
    PRIMARY KEY (flow_id, step),
    CONSTRAINT flow_history_input CHECK ((step = 0) = (input IS NULL))
);
COMMENT ON TABLE flow_history IS 'Every step of every flow: what came in, from whom, what state it led to. Replaying the inputs gives the state.';

CREATE TABLE flow_effect (
    -- derived from flow, step and position: the idempotency key towards the outside
    id          uuid        PRIMARY KEY,
    flow_id     uuid        NOT NULL REFERENCES flow (id),
    kind        text        NOT NULL,
    step        integer     NOT NULL,
    position    smallint    NOT NULL,
    -- state of the flow that asked for it
    label       text        NOT NULL,
    name        text        NOT NULL,
    action      jsonb       NOT NULL,
    status      text        NOT NULL DEFAULT 'pending',
    -- raised by every claim; whoever holds an older number is fenced off
    fence       integer     NOT NULL DEFAULT 0,
    -- whether an attempt may have reached the outside: only an untouched effect can be revoked
    touched     boolean     NOT NULL DEFAULT false,
    claimed_by  text,
    -- pending: next attempt, or while claimed the end of the lease. By the clock of the database, as all leases are.
    due_at      timestamptz NOT NULL DEFAULT now(),
    reason      text,
    outcome     jsonb,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT flow_effect_status CHECK (status IN ('pending', 'done', 'unknown', 'revoked', 'parked')),
    CONSTRAINT flow_effect_place UNIQUE (flow_id, step, position)
);
COMMENT ON TABLE flow_effect IS 'What flows want done outside, written with the step that wants it and performed afterwards.';
-- the queue: workers take from it with SKIP LOCKED
CREATE INDEX flow_effect_due ON flow_effect (kind, due_at) WHERE status = 'pending';
