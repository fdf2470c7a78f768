-- Schema "core" as its migrations leave it. Written by its schema test with UPDATE_SNAPSHOTS=1; not to be edited.

CREATE TABLE attempts (
    scope       text NOT NULL,
    subject     bytea NOT NULL,
    taken       integer NOT NULL,
    window_ends timestamp with time zone NOT NULL,
    CONSTRAINT attempts_pkey PRIMARY KEY (scope, subject)
);
COMMENT ON TABLE attempts IS 'Fixed-window counters of what may only be tried so often';
CREATE INDEX attempts_window_ends ON attempts USING btree (window_ends);
GRANT DELETE, INSERT, SELECT, UPDATE ON attempts TO ferrex_core;

CREATE TABLE challenges (
    id          uuid NOT NULL,
    purpose     text NOT NULL,
    email_key   text NOT NULL,
    user_id     uuid,
    decoy       boolean NOT NULL,
    code_hash   bytea NOT NULL,
    token_hash  bytea NOT NULL,
    wrong_tries smallint NOT NULL DEFAULT 0,
    sent        smallint NOT NULL DEFAULT 1,
    created_at  timestamp with time zone NOT NULL,
    expires_at  timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    voided_at   timestamp with time zone,
    CONSTRAINT challenges_pkey PRIMARY KEY (id),
    CONSTRAINT challenges_purpose_check CHECK ((purpose = ANY (ARRAY['registration'::text, 'password_reset'::text]))),
    CONSTRAINT challenges_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users(id) ON DELETE CASCADE
);
COMMENT ON TABLE challenges IS 'Codes and links sent by mail, bound to address, purpose, time and number of tries (H092)';
CREATE INDEX challenges_expires_at ON challenges USING btree (expires_at);
CREATE INDEX challenges_open_by_email ON challenges USING btree (email_key, purpose) WHERE ((consumed_at IS NULL) AND (voided_at IS NULL));
CREATE UNIQUE INDEX challenges_token_hash ON challenges USING btree (token_hash);
GRANT DELETE, INSERT, SELECT, UPDATE ON challenges TO ferrex_core;

CREATE TABLE factor_uses (
    user_id   uuid NOT NULL,
    proof     bytea NOT NULL,
    code_hash bytea NOT NULL,
    action    text NOT NULL,
    binding   text NOT NULL,
    used_at   timestamp with time zone NOT NULL,
    CONSTRAINT factor_uses_pkey PRIMARY KEY (user_id, proof),
    CONSTRAINT factor_uses_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users(id) ON DELETE CASCADE
);
COMMENT ON TABLE factor_uses IS 'Second-factor codes that were used, each with the one thing it was used for (A12)';
CREATE INDEX factor_uses_used_at ON factor_uses USING btree (used_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON factor_uses TO ferrex_core;

CREATE TABLE inbox (
    consumer    text NOT NULL,
    message_id  uuid NOT NULL,
    received_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id)
);
COMMENT ON TABLE inbox IS 'Messages that took effect or were parked, in the transaction that did it';
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON inbox TO ferrex_core;

CREATE TABLE login_guards (
    subject       bytea NOT NULL,
    failures      integer NOT NULL,
    window_ends   timestamp with time zone NOT NULL,
    blocked_until timestamp with time zone NOT NULL,
    CONSTRAINT login_guards_pkey PRIMARY KEY (subject)
);
COMMENT ON TABLE login_guards IS 'Wrong passwords per account and per account and place, with the moment the next try is allowed';
CREATE INDEX login_guards_window_ends ON login_guards USING btree (window_ends);
GRANT DELETE, INSERT, SELECT, UPDATE ON login_guards TO ferrex_core;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON outbox TO ferrex_core;

GRANT SELECT, USAGE ON outbox_seq_seq TO ferrex_core;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON parked TO ferrex_core;

GRANT SELECT, USAGE ON parked_id_seq TO ferrex_core;

CREATE TABLE pending_logins (
    id         uuid NOT NULL,
    user_id    uuid NOT NULL,
    token_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT pending_logins_pkey PRIMARY KEY (id),
    CONSTRAINT pending_logins_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users(id) ON DELETE CASCADE
);
COMMENT ON TABLE pending_logins IS 'Log-ins with the right password that still owe the second factor';
CREATE INDEX pending_logins_expires_at ON pending_logins USING btree (expires_at);
CREATE UNIQUE INDEX pending_logins_token_hash ON pending_logins USING btree (token_hash);
CREATE INDEX pending_logins_user ON pending_logins USING btree (user_id);
GRANT DELETE, INSERT, SELECT, UPDATE ON pending_logins TO ferrex_core;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON published TO ferrex_core;

CREATE TABLE published_end (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    last_offset bigint NOT NULL,
    CONSTRAINT published_end_pkey PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE published_end IS 'The last place in each partition that the broker gave to a message of the outbox';
GRANT DELETE, INSERT, SELECT, UPDATE ON published_end TO ferrex_core;

CREATE TABLE recovery_codes (
    user_id    uuid NOT NULL,
    code_hash  bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, code_hash),
    CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users(id) ON DELETE CASCADE
);
COMMENT ON TABLE recovery_codes IS 'Recovery codes that are not used up, hashed with a key that is not in the database';
GRANT DELETE, INSERT, SELECT, UPDATE ON recovery_codes TO ferrex_core;

CREATE TABLE registrations (
    challenge_id  uuid NOT NULL,
    user_name     text NOT NULL,
    email         text NOT NULL,
    password_hash text NOT NULL,
    CONSTRAINT registrations_pkey PRIMARY KEY (challenge_id),
    CONSTRAINT registrations_challenge_id_fkey FOREIGN KEY (challenge_id) REFERENCES core.challenges(id) ON DELETE CASCADE
);
COMMENT ON TABLE registrations IS 'What a person chose before confirming the address; becomes a user';
GRANT DELETE, INSERT, SELECT, UPDATE ON registrations TO ferrex_core;

CREATE TABLE schema_migration (
    set_name   text NOT NULL,
    version    bigint NOT NULL,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT schema_migration_pkey PRIMARY KEY (set_name, version)
);
COMMENT ON TABLE schema_migration IS 'Which changes this schema has had, with the checksum of each';
GRANT SELECT ON schema_migration TO ferrex_core;

CREATE TABLE sessions (
    id              uuid NOT NULL,
    user_id         uuid NOT NULL,
    token_hash      bytea NOT NULL,
    address         text NOT NULL,
    network         text NOT NULL,
    user_agent      text NOT NULL,
    created_at      timestamp with time zone NOT NULL,
    last_seen_at    timestamp with time zone NOT NULL,
    expires_at      timestamp with time zone NOT NULL,
    revoked_at      timestamp with time zone,
    revoked_because text,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_revoked_whole CHECK (((revoked_at IS NULL) = (revoked_because IS NULL))),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users(id) ON DELETE CASCADE
);
COMMENT ON TABLE sessions IS 'Logged-in sessions; the token is known to the client only, here is its hash';
CREATE INDEX sessions_expires_at ON sessions USING btree (expires_at);
CREATE INDEX sessions_live_by_user ON sessions USING btree (user_id, last_seen_at DESC) WHERE (revoked_at IS NULL);
CREATE INDEX sessions_places ON sessions USING btree (user_id, network, created_at);
CREATE UNIQUE INDEX sessions_token_hash ON sessions USING btree (token_hash);
GRANT DELETE, INSERT, SELECT, UPDATE ON sessions TO ferrex_core;

CREATE TABLE totp_enrolments (
    user_id       uuid NOT NULL,
    secret_sealed bytea NOT NULL,
    expires_at    timestamp with time zone NOT NULL,
    CONSTRAINT totp_enrolments_pkey PRIMARY KEY (user_id),
    CONSTRAINT totp_enrolments_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users(id) ON DELETE CASCADE
);
COMMENT ON TABLE totp_enrolments IS 'Authenticator secrets shown to a person and not yet confirmed by a code';
GRANT DELETE, INSERT, SELECT, UPDATE ON totp_enrolments TO ferrex_core;

CREATE TABLE totp_factors (
    user_id       uuid NOT NULL,
    secret_sealed bytea NOT NULL,
    enrolled_at   timestamp with time zone NOT NULL,
    CONSTRAINT totp_factors_pkey PRIMARY KEY (user_id),
    CONSTRAINT totp_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users(id) ON DELETE CASCADE
);
COMMENT ON TABLE totp_factors IS 'Authenticator secrets, sealed with a key that is not in the database';
GRANT DELETE, INSERT, SELECT, UPDATE ON totp_factors TO ferrex_core;

CREATE TABLE user_name_claims (
    user_name      text NOT NULL,
    email_key      text NOT NULL,
    reserved_until timestamp with time zone,
    CONSTRAINT user_name_claims_pkey PRIMARY KEY (user_name)
);
COMMENT ON TABLE user_name_claims IS 'User names that are taken, for good or until a registration runs out';
GRANT DELETE, INSERT, SELECT, UPDATE ON user_name_claims TO ferrex_core;

CREATE TABLE users (
    id             uuid NOT NULL,
    user_name      text NOT NULL,
    email          text NOT NULL,
    email_key      text NOT NULL,
    password_hash  text NOT NULL,
    level          smallint NOT NULL DEFAULT 0,
    frozen_at      timestamp with time zone,
    frozen_by      uuid,
    frozen_because text,
    version        bigint NOT NULL DEFAULT 1,
    created_at     timestamp with time zone NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_frozen_whole CHECK ((((frozen_at IS NULL) = (frozen_because IS NULL)) AND ((frozen_at IS NULL) = (frozen_by IS NULL)))),
    CONSTRAINT users_level_check CHECK ((level >= 0))
);
COMMENT ON TABLE users IS 'People with a confirmed e-mail address';
CREATE UNIQUE INDEX users_email_key ON users USING btree (email_key);
CREATE UNIQUE INDEX users_user_name ON users USING btree (user_name);
GRANT INSERT, SELECT, UPDATE ON users TO ferrex_core;

CREATE TABLE verifications (
    id                uuid NOT NULL,
    user_id           uuid NOT NULL,
    level             smallint NOT NULL,
    level_version     smallint NOT NULL,
    state             text NOT NULL,
    legal_name        text NOT NULL,
    birth_date        date NOT NULL,
    country           text NOT NULL,
    rejected_because  text,
    decided_by        uuid,
    applicant         text,
    applicant_version bigint,
    contested_at      timestamp with time zone,
    submitted_at      timestamp with time zone NOT NULL,
    decided_at        timestamp with time zone,
    CONSTRAINT verifications_pkey PRIMARY KEY (id),
    CONSTRAINT verifications_decided_whole CHECK (((state = 'submitted'::text) = (decided_at IS NULL))),
    CONSTRAINT verifications_reason CHECK (((state = 'rejected'::text) = (rejected_because IS NOT NULL))),
    CONSTRAINT verifications_state_check CHECK ((state = ANY (ARRAY['submitted'::text, 'approved'::text, 'rejected'::text]))),
    CONSTRAINT verifications_user_id_fkey FOREIGN KEY (user_id) REFERENCES core.users(id) ON DELETE CASCADE
);
COMMENT ON TABLE verifications IS 'Submissions for an identity level; personal data stays in this schema';
CREATE INDEX verifications_by_user ON verifications USING btree (user_id, submitted_at DESC);
CREATE UNIQUE INDEX verifications_one_open ON verifications USING btree (user_id, level) WHERE (state = ANY (ARRAY['submitted'::text, 'approved'::text]));
CREATE INDEX verifications_queue ON verifications USING btree (state, id);
GRANT INSERT, SELECT, UPDATE ON verifications TO ferrex_core;
