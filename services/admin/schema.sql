-- Schema "admin" as its migrations leave it. Written by its schema test with UPDATE_SNAPSHOTS=1; not to be edited.

CREATE TABLE approval (
    withdrawal   uuid NOT NULL,
    person       uuid NOT NULL,
    state        text NOT NULL,
    content      jsonb NOT NULL,
    content_hash text NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    closed_at    timestamp with time zone,
    CONSTRAINT approval_pkey PRIMARY KEY (withdrawal),
    CONSTRAINT approval_state CHECK ((state = ANY (ARRAY['waiting'::text, 'approved'::text, 'rejected'::text, 'cancelled'::text, 'failed'::text])))
);
COMMENT ON TABLE approval IS 'Withdrawals that wait or waited for staff; a read table built from the events of payment';
CREATE INDEX approval_by_state ON approval USING btree (state, withdrawal);
GRANT INSERT, SELECT, UPDATE ON approval TO ferrex_admin;

CREATE TABLE attempts (
    scope       text NOT NULL,
    subject     bytea NOT NULL,
    taken       integer NOT NULL,
    window_ends timestamp with time zone NOT NULL,
    CONSTRAINT attempts_pkey PRIMARY KEY (scope, subject)
);
COMMENT ON TABLE attempts IS 'How often something was tried in the present window; counted before the try, given back after a success';
GRANT DELETE, INSERT, SELECT, UPDATE ON attempts TO ferrex_admin;

CREATE TABLE audit_entry (
    sequence      bigint NOT NULL,
    id            uuid NOT NULL,
    at            timestamp with time zone NOT NULL,
    actor         uuid,
    actor_name    text NOT NULL,
    action        text NOT NULL,
    subject       text NOT NULL,
    reason        text,
    request_id    text,
    outcome       text NOT NULL,
    attempt       uuid,
    before        text,
    after         text,
    previous_hash bytea NOT NULL,
    hash          bytea NOT NULL,
    CONSTRAINT audit_entry_pkey PRIMARY KEY (sequence),
    CONSTRAINT audit_entry_id_unique UNIQUE (id),
    CONSTRAINT audit_entry_attempt_fkey FOREIGN KEY (attempt) REFERENCES admin.audit_entry(id),
    CONSTRAINT audit_entry_outcome CHECK ((outcome = ANY (ARRAY['attempted'::text, 'done'::text, 'refused'::text, 'unknown'::text])))
);
COMMENT ON TABLE audit_entry IS 'What staff did. Append-only: the login role may not change or delete a row, and each row''s keyed hash covers the one before';
GRANT INSERT, SELECT ON audit_entry TO ferrex_admin;

CREATE TABLE audit_head (
    single   boolean NOT NULL DEFAULT true,
    sequence bigint NOT NULL,
    hash     bytea NOT NULL,
    CONSTRAINT audit_head_pkey PRIMARY KEY (single),
    CONSTRAINT audit_head_single CHECK (single)
);
COMMENT ON TABLE audit_head IS 'The end of the audit chain';
GRANT SELECT, UPDATE ON audit_head TO ferrex_admin;

CREATE TABLE inbox (
    consumer    text NOT NULL,
    message_id  uuid NOT NULL,
    received_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id)
);
COMMENT ON TABLE inbox IS 'Messages that took effect or were parked, in the transaction that did it';
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON inbox TO ferrex_admin;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON outbox TO ferrex_admin;

GRANT SELECT, USAGE ON outbox_seq_seq TO ferrex_admin;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON parked TO ferrex_admin;

GRANT SELECT, USAGE ON parked_id_seq TO ferrex_admin;

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
GRANT DELETE, INSERT, SELECT, UPDATE ON published TO ferrex_admin;

CREATE TABLE published_end (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    last_offset bigint NOT NULL,
    CONSTRAINT published_end_pkey PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE published_end IS 'The last place in each partition that the broker gave to a message of the outbox';
GRANT DELETE, INSERT, SELECT, UPDATE ON published_end TO ferrex_admin;

CREATE TABLE schema_migration (
    set_name   text NOT NULL,
    version    bigint NOT NULL,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT schema_migration_pkey PRIMARY KEY (set_name, version)
);
COMMENT ON TABLE schema_migration IS 'Which changes this schema has had, with the checksum of each';
GRANT SELECT ON schema_migration TO ferrex_admin;

CREATE TABLE setup_link (
    token_hash  bytea NOT NULL,
    invited_by  uuid,
    created_at  timestamp with time zone NOT NULL,
    expires_at  timestamp with time zone NOT NULL,
    totp_sealed bytea,
    used_at     timestamp with time zone,
    used_by     uuid,
    CONSTRAINT setup_link_pkey PRIMARY KEY (token_hash),
    CONSTRAINT setup_link_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES admin.staff(id),
    CONSTRAINT setup_link_used_by_fkey FOREIGN KEY (used_by) REFERENCES admin.staff(id)
);
COMMENT ON TABLE setup_link IS 'One-time links with which an account is made';
GRANT INSERT, SELECT, UPDATE ON setup_link TO ferrex_admin;

CREATE TABLE staff (
    id          uuid NOT NULL,
    name        text NOT NULL,
    password    text NOT NULL,
    totp_sealed bytea NOT NULL,
    totp_step   bigint NOT NULL,
    created_at  timestamp with time zone NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT staff_pkey PRIMARY KEY (id),
    CONSTRAINT staff_name_unique UNIQUE (name),
    CONSTRAINT staff_name_form CHECK ((name ~ '^[a-z0-9][a-z0-9._-]{1,31}$'::text))
);
COMMENT ON TABLE staff IS 'Who may log in to the admin listener. Rows are never deleted: the audit log refers to them';
GRANT INSERT, SELECT, UPDATE ON staff TO ferrex_admin;

CREATE TABLE staff_session (
    id           uuid NOT NULL,
    token_hash   bytea NOT NULL,
    staff        uuid NOT NULL,
    address      text NOT NULL,
    user_agent   text NOT NULL,
    created_at   timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    expires_at   timestamp with time zone NOT NULL,
    revoked_at   timestamp with time zone,
    CONSTRAINT staff_session_pkey PRIMARY KEY (id),
    CONSTRAINT staff_session_token_unique UNIQUE (token_hash),
    CONSTRAINT staff_session_staff_fkey FOREIGN KEY (staff) REFERENCES admin.staff(id)
);
COMMENT ON TABLE staff_session IS 'Log-ins; a session is good while not revoked, not expired, not idle, and its staff not disabled';
CREATE INDEX staff_session_of_staff ON staff_session USING btree (staff, created_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON staff_session TO ferrex_admin;
