-- What follows the journal and can be made anew from it: balances, holds, and how far the bus has been told.

CREATE TABLE projection (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    journal_id bigint NOT NULL CHECK (journal_id >= 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE projection IS 'The journal row up to which balance and hold are true; changed in one transaction with them';
INSERT INTO projection (journal_id) VALUES (0);

CREATE TABLE balance (
    account integer PRIMARY KEY,
    total   numeric(39,0) NOT NULL,
    held    numeric(39,0) NOT NULL,
    -- I05, whatever the code does
    CONSTRAINT nothing_is_negative CHECK (held >= 0 AND total >= held)
) WITH (fillfactor = 50); -- updated in place every few hundred milliseconds
COMMENT ON TABLE balance IS 'What each account has, in its normal direction, and the part that holds set aside';

CREATE TABLE hold (
    id         uuid PRIMARY KEY,
    account    integer NOT NULL,
    amount     numeric(39,0) NOT NULL,
    expires_at timestamptz,
    closed     boolean NOT NULL,
    CONSTRAINT a_closed_hold_has_nothing CHECK (closed = (amount = 0) AND amount >= 0)
) WITH (fillfactor = 70);
COMMENT ON TABLE hold IS 'Holds with what is left of them; closed ones stay, so that they are known for ever';
-- a restart loads the open ones
CREATE INDEX hold_open ON hold (id) WHERE NOT closed;

CREATE TABLE relay (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    journal_id bigint NOT NULL CHECK (journal_id >= 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE relay IS 'The journal row up to which the bus has been told; set after publishing, so a message may come twice';
INSERT INTO relay (journal_id) VALUES (0);
