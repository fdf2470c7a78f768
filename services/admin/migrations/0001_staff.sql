CREATE TABLE staff (
    id           uuid PRIMARY KEY,
    -- What a person types to log in; lower case, so that no two differ by case alone.
    name         text NOT NULL CONSTRAINT staff_name_unique UNIQUE,
    password     text NOT NULL,
    -- The authenticator's secret, sealed with the root key for this row's id.
    totp_sealed  bytea NOT NULL,
    -- The last time step whose code was used: a code is good once.
    totp_step    bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    disabled_at  timestamptz,
    CONSTRAINT staff_name_form CHECK (name ~ '^[a-z0-9][a-z0-9._-]{1,31}$')
);
COMMENT ON TABLE staff IS 'Who may log in to the admin listener. Rows are never deleted: the audit log refers to them';

CREATE TABLE setup_link (
    -- Keyed hash of the token; the token itself is shown once and kept nowhere.
    token_hash   bytea PRIMARY KEY,
    -- NULL for the very first account; otherwise who invited.
    invited_by   uuid REFERENCES staff (id),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    -- The authenticator being enrolled, sealed for the token's hash; NULL until the page was opened.
    totp_sealed  bytea,
    used_at      timestamptz,
    used_by      uuid REFERENCES staff (id)
);
COMMENT ON TABLE setup_link IS 'One-time links with which an account is made';

CREATE TABLE staff_session (
    id           uuid PRIMARY KEY,
    token_hash   bytea NOT NULL CONSTRAINT staff_session_token_unique UNIQUE,
    staff        uuid NOT NULL REFERENCES staff (id),
    address      text NOT NULL,
    user_agent   text NOT NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE INDEX staff_session_of_staff ON staff_session (staff, created_at);
COMMENT ON TABLE staff_session IS 'Log-ins; a session is good while not revoked, not expired, not idle, and its staff not disabled';

CREATE TABLE attempts (
    scope        text NOT NULL,
    -- Keyed hash of a name or network.
    subject      bytea NOT NULL,
    taken        integer NOT NULL,
    window_ends  timestamptz NOT NULL,
    PRIMARY KEY (scope, subject)
);
COMMENT ON TABLE attempts IS 'How often something was tried in the present window; counted before the try, given back after a success';

CREATE TABLE approval (
    -- The withdrawal that waits.
    withdrawal   uuid PRIMARY KEY,
    person       uuid NOT NULL,
    -- waiting -> approved | rejected | cancelled | failed; only payment's word or its answer changes it.
    state        text NOT NULL CONSTRAINT approval_state CHECK (state IN ('waiting', 'approved', 'rejected', 'cancelled', 'failed')),
    -- The event as it came.
    content      jsonb NOT NULL,
    content_hash text NOT NULL,
    requested_at timestamptz NOT NULL,
    closed_at    timestamptz
);
-- The list is read by state, newest first.
CREATE INDEX approval_by_state ON approval (state, withdrawal);
COMMENT ON TABLE approval IS 'Withdrawals that wait or waited for staff; a read table built from the events of payment';

CREATE TABLE audit_entry (
    -- Without gaps from 1 on; the order of the chain.
    sequence      bigint PRIMARY KEY,
    id            uuid NOT NULL CONSTRAINT audit_entry_id_unique UNIQUE,
    at            timestamptz NOT NULL,
    -- NULL for what the system did or a stranger tried.
    actor         uuid,
    actor_name    text NOT NULL,
    action        text NOT NULL,
    subject       text NOT NULL,
    reason        text,
    request_id    text,
    outcome       text NOT NULL CONSTRAINT audit_entry_outcome CHECK (outcome IN ('attempted', 'done', 'refused', 'unknown')),
    -- The entry of the attempt that this one tells the outcome of.
    attempt       uuid REFERENCES audit_entry (id),
    -- JSON as text, for the hash is over these very bytes.
    before        text,
    after         text,
    previous_hash bytea NOT NULL,
    hash          bytea NOT NULL
);
COMMENT ON TABLE audit_entry IS 'What staff did. Append-only: the login role may not change or delete a row, and each row''s keyed hash covers the one before';

CREATE TABLE audit_head (
    single        boolean PRIMARY KEY DEFAULT true CONSTRAINT audit_head_single CHECK (single),
    sequence      bigint NOT NULL,
    hash          bytea NOT NULL
);
-- Locked by every append, so entries are written one after the other; it also shows when the last rows are missing.
INSERT INTO audit_head (sequence, hash) VALUES (0, '\x');
COMMENT ON TABLE audit_head IS 'The end of the audit chain';
