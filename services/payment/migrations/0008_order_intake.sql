-- Orders by the thousand: what keeps their rows right is not asked of the table for each of them again.

-- Markets are never deleted, and what the engine tells of trades names orders that it has told before.
ALTER TABLE placed_order DROP CONSTRAINT placed_order_market_fkey;
ALTER TABLE trade DROP CONSTRAINT trade_market_fkey, DROP CONSTRAINT trade_buy_order_fkey, DROP CONSTRAINT trade_sell_order_fkey;

-- Whose answer is not known, by person: reading one's own orders waits for them. They are few.
DROP INDEX placed_order_requested;
CREATE INDEX placed_order_requested ON placed_order (user_id, placed_at) WHERE status = 'requested';

-- Most orders have no name.
DROP INDEX placed_order_client_unique;
CREATE UNIQUE INDEX placed_order_client_unique ON placed_order (user_id, client_order_id)
    WHERE status IN ('requested', 'open') AND client_order_id IS NOT NULL;

-- Who has ever owed anything: few, so that others are not asked for their debts.
CREATE INDEX movement_owed ON movement (user_id) WHERE owed > 0;

-- Room for what trades change of an order within its page.
ALTER TABLE placed_order SET (fillfactor = 80);
