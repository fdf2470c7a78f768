-- The engine's whole state now and then, so that a restart need not replay the journal from its beginning.

CREATE TABLE snapshot (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard      smallint NOT NULL CHECK (shard >= 0),
    journal_id bigint NOT NULL CHECK (journal_id > 0),
    bytes      bigint NOT NULL CHECK (bytes > 0),
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE snapshot IS 'States of the engine as of journal rows that the projection has reached; the newest few are kept, all may be deleted';
COMMENT ON COLUMN snapshot.bytes IS 'How many its parts have together';

CREATE TABLE snapshot_part (
    snapshot bigint NOT NULL REFERENCES snapshot ON DELETE CASCADE,
    place    integer NOT NULL CHECK (place >= 0),
    bytes    bytea NOT NULL,
    PRIMARY KEY (snapshot, place)
);
COMMENT ON TABLE snapshot_part IS 'The bytes of a snapshot, a megabyte a row, by place; the format is that of domain/engine/src/snapshot';
-- numbers and hashes do not get smaller, and trying costs time
ALTER TABLE snapshot_part ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TRIGGER snapshot_is_never_changed BEFORE UPDATE OR TRUNCATE ON snapshot
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER snapshot_part_is_never_changed BEFORE UPDATE OR TRUNCATE ON snapshot_part
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
