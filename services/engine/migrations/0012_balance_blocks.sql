-- Balances are kept by the block of accounts that were opened one after the other. With many accounts in use each was projected once
-- for each use, on a page of its own; a block has a hundred that changed meanwhile. A view shows them by the account.

CREATE TABLE balance_block (
    first_account integer PRIMARY KEY,
    available     numeric[] NOT NULL,
    held          numeric[] NOT NULL,
    -- I05, whatever the code does
    CONSTRAINT nothing_is_negative CHECK (0 <= ALL (available) AND 0 <= ALL (held)),
    CONSTRAINT each_account_has_both CHECK (cardinality(available) = cardinality(held))
) WITH (fillfactor = 50); -- updated in place every few hundred milliseconds
COMMENT ON TABLE balance_block IS 'What accounts have that were opened one after the other, 128 a row, in their normal direction';
COMMENT ON COLUMN balance_block.first_account IS 'Number of the first account: 1, 129, 257 and so on';
COMMENT ON COLUMN balance_block.available IS 'Of each account in the order of their numbers, what it has beside what holds and orders set aside';
COMMENT ON COLUMN balance_block.held IS 'Of each account the part that holds and orders set aside';

-- What a projection sends (ADR 12).
CREATE TYPE balance_block_entry AS (first_account integer, available numeric[], held numeric[]);

-- Most is nothing set aside. A server that was built without lz4 keeps its own way.
DO $$
BEGIN
    ALTER TABLE balance_block ALTER COLUMN available SET COMPRESSION lz4, ALTER COLUMN held SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;

-- Statistics of what is in the arrays would be made of all their elements, and no plan asks for them.
ALTER TABLE balance_block ALTER COLUMN available SET STATISTICS 0, ALTER COLUMN held SET STATISTICS 0;

INSERT INTO balance_block (first_account, available, held)
SELECT (a.id - 1) / 128 * 128 + 1, array_agg(coalesce(b.total - b.held, 0) ORDER BY a.id), array_agg(coalesce(b.held, 0) ORDER BY a.id)
  FROM account a LEFT JOIN balance b ON b.account = a.id
 GROUP BY 1 ORDER BY 1;

DROP TABLE balance;

CREATE VIEW balance AS
SELECT b.first_account + a.place::integer - 1 AS account, a.available + a.held AS total, a.held
  FROM balance_block b CROSS JOIN LATERAL unnest(b.available, b.held) WITH ORDINALITY AS a (available, held, place);
COMMENT ON VIEW balance IS 'What each account has, in its normal direction, and the part that holds set aside';
