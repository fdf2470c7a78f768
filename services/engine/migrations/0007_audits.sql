-- What the job `ledger_audit` asked for. An audit may take longer than a message may be worked on, so it is written down first.
CREATE TABLE audit (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- When the newest was asked for.
    asked_at    timestamptz NOT NULL,
    -- When the newest was asked for that is made and told.
    answered_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE audit IS 'Which audit of the ledger was asked for, and which was made';
INSERT INTO audit (asked_at, answered_at) VALUES ('-infinity', '-infinity');
