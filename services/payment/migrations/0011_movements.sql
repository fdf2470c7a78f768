-- A row that is inserted unless another of its key is there takes a third record of PostgreSQL's log, which says that none was. Lines
-- of a history nearly never are: only of a message that comes again.

-- Keeps lines, except those that are there.
CREATE FUNCTION keep_movements(lines movement_entry[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO movement (user_id, sequence, asset, command, reason, reference, at, credited, debited, reserved, released, owed, repaid,
                          fee)
    SELECT l.* FROM unnest(lines) AS l;
EXCEPTION WHEN unique_violation THEN
    INSERT INTO movement (user_id, sequence, asset, command, reason, reference, at, credited, debited, reserved, released, owed, repaid,
                          fee)
    SELECT l.* FROM unnest(lines) AS l
    ON CONFLICT DO NOTHING;
END
$$;
