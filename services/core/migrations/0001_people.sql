-- People, their credentials and sessions, and their identity submissions.
--
-- Lock order within a transaction: challenges, users, then whatever belongs to the user (factors, sessions,
-- verifications). Counters (attempts, login_guards) are written in transactions of their own, so that a refusal that rolls
-- back the work does not give the attempt back.

CREATE TABLE users (
    id             uuid        PRIMARY KEY,
    user_name      text        NOT NULL,
    email          text        NOT NULL,
    -- The address folded for comparison; one account per folded address.
    email_key      text        NOT NULL,
    password_hash  text        NOT NULL,
    level          smallint    NOT NULL DEFAULT 0 CHECK (level >= 0),
    frozen_at      timestamptz,
    frozen_by      uuid,
    frozen_because text,
    -- Rises with each change that other services hear of; they drop what is older than what they have.
    version        bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    CONSTRAINT users_frozen_whole CHECK (
        (frozen_at IS NULL) = (frozen_because IS NULL) AND (frozen_at IS NULL) = (frozen_by IS NULL)
    )
);
CREATE UNIQUE INDEX users_user_name ON users (user_name);
CREATE UNIQUE INDEX users_email_key ON users (email_key);
COMMENT ON TABLE users IS 'People with a confirmed e-mail address';

-- A user name is reserved per e-mail address before it is certain whether that address has an account already, so that
-- registering a known address leaves the same trace as registering an unknown one (A03).
CREATE TABLE user_name_claims (
    user_name      text        PRIMARY KEY,
    email_key      text        NOT NULL,
    -- Null once the name belongs to an account for good.
    reserved_until timestamptz
);
COMMENT ON TABLE user_name_claims IS 'User names that are taken, for good or until a registration runs out';

CREATE TABLE challenges (
    id           uuid        PRIMARY KEY,
    purpose      text        NOT NULL CHECK (purpose IN ('registration', 'password_reset')),
    email_key    text        NOT NULL,
    -- Null when nobody has this address; a registration has no user until it is confirmed.
    user_id      uuid        REFERENCES users (id) ON DELETE CASCADE,
    -- A decoy looks like the real thing and can never be answered: a registration of a known address, a reset of an unknown one.
    decoy        boolean     NOT NULL,
    code_hash    bytea       NOT NULL,
    token_hash   bytea       NOT NULL,
    wrong_tries  smallint    NOT NULL DEFAULT 0,
    sent         smallint    NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    consumed_at  timestamptz,
    voided_at    timestamptz
);
-- A link carries only the token.
CREATE UNIQUE INDEX challenges_token_hash ON challenges (token_hash);
CREATE INDEX challenges_open_by_email ON challenges (email_key, purpose) WHERE consumed_at IS NULL AND voided_at IS NULL;
CREATE INDEX challenges_expires_at ON challenges (expires_at);
COMMENT ON TABLE challenges IS 'Codes and links sent by mail, bound to address, purpose, time and number of tries (H092)';

CREATE TABLE registrations (
    challenge_id  uuid PRIMARY KEY REFERENCES challenges (id) ON DELETE CASCADE,
    user_name     text NOT NULL,
    email         text NOT NULL,
    password_hash text NOT NULL
);
COMMENT ON TABLE registrations IS 'What a person chose before confirming the address; becomes a user';

CREATE TABLE sessions (
    id            uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash    bytea       NOT NULL,
    address       text        NOT NULL,
    -- /64 of an IPv6 address, the whole of an IPv4 address: what counts as the same place.
    network       text        NOT NULL,
    user_agent    text        NOT NULL,
    created_at    timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    revoked_because text,
    CONSTRAINT sessions_revoked_whole CHECK ((revoked_at IS NULL) = (revoked_because IS NULL))
);
CREATE UNIQUE INDEX sessions_token_hash ON sessions (token_hash);
CREATE INDEX sessions_live_by_user ON sessions (user_id, last_seen_at DESC) WHERE revoked_at IS NULL;
-- Serves the question whether a person has logged in from this place before.
CREATE INDEX sessions_places ON sessions (user_id, network, created_at);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
COMMENT ON TABLE sessions IS 'Logged-in sessions; the token is known to the client only, here is its hash';

CREATE TABLE pending_logins (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash bytea       NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX pending_logins_token_hash ON pending_logins (token_hash);
CREATE INDEX pending_logins_user ON pending_logins (user_id);
CREATE INDEX pending_logins_expires_at ON pending_logins (expires_at);
COMMENT ON TABLE pending_logins IS 'Log-ins with the right password that still owe the second factor';

CREATE TABLE totp_factors (
    user_id       uuid        PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret_sealed bytea       NOT NULL,
    enrolled_at   timestamptz NOT NULL
);
COMMENT ON TABLE totp_factors IS 'Authenticator secrets, sealed with a key that is not in the database';

CREATE TABLE totp_enrolments (
    user_id       uuid        PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret_sealed bytea       NOT NULL,
    expires_at    timestamptz NOT NULL
);
COMMENT ON TABLE totp_enrolments IS 'Authenticator secrets shown to a person and not yet confirmed by a code';

CREATE TABLE recovery_codes (
    user_id   uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);
COMMENT ON TABLE recovery_codes IS 'Recovery codes that are not used up, hashed with a key that is not in the database';

CREATE TABLE factor_uses (
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The time step of an authenticator code, or the hash of a recovery code: the primary key is what makes a code good for
    -- one use only, also for fifty requests at the same instant (A06, A08).
    proof      bytea       NOT NULL,
    code_hash  bytea       NOT NULL,
    action     text        NOT NULL,
    binding    text        NOT NULL,
    used_at    timestamptz NOT NULL,
    PRIMARY KEY (user_id, proof)
);
CREATE INDEX factor_uses_used_at ON factor_uses (used_at);
COMMENT ON TABLE factor_uses IS 'Second-factor codes that were used, each with the one thing it was used for (A12)';

CREATE TABLE attempts (
    scope       text        NOT NULL,
    -- Keyed hash of the subject (address, user, network): people type passwords into the wrong field.
    subject     bytea       NOT NULL,
    taken       integer     NOT NULL,
    window_ends timestamptz NOT NULL,
    PRIMARY KEY (scope, subject)
);
CREATE INDEX attempts_window_ends ON attempts (window_ends);
COMMENT ON TABLE attempts IS 'Fixed-window counters of what may only be tried so often';

CREATE TABLE login_guards (
    subject       bytea       PRIMARY KEY,
    failures      integer     NOT NULL,
    window_ends   timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL
);
CREATE INDEX login_guards_window_ends ON login_guards (window_ends);
COMMENT ON TABLE login_guards IS 'Wrong passwords per account and per account and place, with the moment the next try is allowed';

CREATE TABLE verifications (
    id               uuid        PRIMARY KEY,
    user_id          uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    level            smallint    NOT NULL,
    -- Which edition of the level's checks the submission was made under (H090).
    level_version    smallint    NOT NULL,
    state            text        NOT NULL CHECK (state IN ('submitted', 'approved', 'rejected')),
    legal_name       text        NOT NULL,
    birth_date       date        NOT NULL,
    country          text        NOT NULL,
    rejected_because text,
    -- Staff who decided; null when the identity provider did.
    decided_by       uuid,
    -- The provider's own id of the case, from its first decision on, and the number of the newest decision that was heeded:
    -- other cases and older decisions never move the state back (H063, H089).
    applicant         text,
    applicant_version bigint,
    -- The provider contradicted an approval after it was given; a person has to look.
    contested_at     timestamptz,
    submitted_at     timestamptz NOT NULL,
    decided_at       timestamptz,
    CONSTRAINT verifications_decided_whole CHECK ((state = 'submitted') = (decided_at IS NULL)),
    CONSTRAINT verifications_reason CHECK ((state = 'rejected') = (rejected_because IS NOT NULL))
);
-- Serves the race of two submissions at once: one waits at a time, one is approved per level.
CREATE UNIQUE INDEX verifications_one_open ON verifications (user_id, level) WHERE state IN ('submitted', 'approved');
CREATE INDEX verifications_by_user ON verifications (user_id, submitted_at DESC);
CREATE INDEX verifications_queue ON verifications (state, id);
COMMENT ON TABLE verifications IS 'Submissions for an identity level; personal data stays in this schema';
