-- Markets as staff configured them, and what people did in them as the engine tells it.
CREATE TABLE market (
    -- Dense, given once and for ever, as the engine knows it.
    id         integer     PRIMARY KEY CHECK (id BETWEEN 1 AND 65535),
    symbol     text        NOT NULL CONSTRAINT market_symbol_unique UNIQUE,
    base       integer     NOT NULL REFERENCES asset (id),
    quote      integer     NOT NULL REFERENCES asset (id),
    -- Step and bounds in smallest units, fees: never changed.
    terms      jsonb       NOT NULL,
    -- The ids of the commands that made it follow from this.
    request    uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    -- As the engine tells; null until it has made the market.
    state      text        CHECK (state IN ('open', 'cancel_only', 'halted', 'auction')),
    -- Journal id up to which what is told of the market is applied here.
    sequence   bigint      NOT NULL DEFAULT 0 CHECK (sequence >= 0),
    CHECK (base <> quote)
);
COMMENT ON TABLE market IS 'Markets: terms by staff, state by engine.market.v1';

CREATE TABLE placed_order (
    -- UUIDv7: the id of the command that places it, and the engine's client id.
    id              uuid          PRIMARY KEY,
    user_id         uuid          NOT NULL,
    market          integer       NOT NULL REFERENCES market (id),
    -- The engine's number within the market, once it is known.
    number          bigint,
    client_order_id text          CHECK (length(client_order_id) BETWEEN 1 AND 64),
    -- What was asked of the engine; null for an order that did not come through here.
    command         jsonb,
    side            text          NOT NULL CHECK (side IN ('buy', 'sell')),
    kind            text          NOT NULL CHECK (kind IN ('limit', 'market')),
    tif             text          NOT NULL CHECK (tif IN ('gtc', 'ioc', 'fok', 'post_only')),
    price           numeric(39,0) NOT NULL CHECK (price >= 0),
    -- Null for a buy by value.
    quantity        numeric(39,0) CHECK (quantity >= 0),
    value           numeric(39,0) CHECK (value > 0),
    expires_at      timestamptz,
    placed_at       timestamptz   NOT NULL,
    status          text          NOT NULL CHECK (status IN
                    ('requested', 'open', 'filled', 'cancelled', 'expired', 'unfilled', 'self_trade', 'refused', 'lapsed')),
    -- Number of the engine's refusal.
    refusal         smallint,
    filled          numeric(39,0) NOT NULL DEFAULT 0 CHECK (filled >= 0),
    filled_value    numeric(39,0) NOT NULL DEFAULT 0 CHECK (filled_value >= 0),
    -- In what is received: base asset of a buy, quote asset of a sell.
    fee             numeric(39,0) NOT NULL DEFAULT 0 CHECK (fee >= 0),
    CONSTRAINT placed_order_number_unique UNIQUE (market, number)
);
CREATE INDEX placed_order_user ON placed_order (user_id, id DESC);
CREATE INDEX placed_order_open ON placed_order (user_id, id DESC) WHERE status IN ('requested', 'open');
CREATE UNIQUE INDEX placed_order_client_unique ON placed_order (user_id, client_order_id) WHERE status IN ('requested', 'open');
-- Whose answer is not known, and whose time is over: both are few.
CREATE INDEX placed_order_requested ON placed_order (placed_at) WHERE status = 'requested';
CREATE INDEX placed_order_expiring ON placed_order (expires_at) WHERE status = 'open' AND expires_at IS NOT NULL;
COMMENT ON TABLE placed_order IS 'Orders: what was asked for, and where it stands by engine.market.v1';

CREATE TABLE trade (
    -- Journal id of the command, and the place of the trade within it.
    sequence   bigint        NOT NULL,
    place      integer       NOT NULL,
    market     integer       NOT NULL REFERENCES market (id),
    at         timestamptz   NOT NULL,
    price      numeric(39,0) NOT NULL CHECK (price > 0),
    quantity   numeric(39,0) NOT NULL CHECK (quantity > 0),
    value      numeric(39,0) NOT NULL CHECK (value > 0),
    -- Null in an auction.
    taker      text          CHECK (taker IN ('buy', 'sell')),
    buyer      uuid          NOT NULL,
    buy_order  uuid          NOT NULL REFERENCES placed_order (id),
    -- In the base asset.
    buy_fee    numeric(39,0) NOT NULL CHECK (buy_fee >= 0),
    seller     uuid          NOT NULL,
    sell_order uuid          NOT NULL REFERENCES placed_order (id),
    -- In the quote asset.
    sell_fee   numeric(39,0) NOT NULL CHECK (sell_fee >= 0),
    PRIMARY KEY (sequence, place)
);
CREATE INDEX trade_buyer ON trade (buyer, sequence DESC, place DESC);
CREATE INDEX trade_seller ON trade (seller, sequence DESC, place DESC);
COMMENT ON TABLE trade IS 'Trades, append-only';
