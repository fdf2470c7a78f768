// The peer: the same service as it is usually written, a transaction an order with row locks. The market's row is locked, for
// otherwise two orders that reach each other could both come to rest. There are no fees, no events and no history, which favours it.
import 'reflect-metadata';
import { BadRequestException, Body, ConflictException, Controller, Get, Headers, Module, Post, Req, UseGuards } from '@nestjs/common';
import pg from 'pg';
import { TokenGuard } from './auth.js';
import { listen } from './listen.js';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 });

const PRICE_PLACES = 6;
const QUANTITY_PLACES = 18;
const WHOLE = 10n ** BigInt(QUANTITY_PLACES);

function units(text: unknown, places: number): bigint {
  const match = typeof text === 'string' ? /^(\d{1,20})(?:\.(\d+))?$/.exec(text) : null;
  if (!match || (match[2] ?? '').length > places) throw new BadRequestException('not an amount');
  return BigInt(match[1]! + (match[2] ?? '').padEnd(places, '0'));
}

interface Resting {
  id: string;
  user_id: string;
  price: string;
  remaining: string;
}

async function move(client: pg.PoolClient, user: string, asset: string, total: bigint, held: bigint): Promise<void> {
  await client.query('UPDATE account SET balance = balance + $3, held = held + $4 WHERE user_id = $1 AND asset = $2', [
    user, asset, total.toString(), held.toString(),
  ]);
}

async function settle(client: pg.PoolClient, buyer: string, seller: string, limit: bigint, price: bigint, lots: bigint) {
  const value = (price * lots) / WHOLE;
  await move(client, buyer, 'TST', -value, -((limit * lots) / WHOLE));
  await move(client, seller, 'TST', value, 0n);
  await move(client, seller, 'ETH', -lots, -lots);
  await move(client, buyer, 'ETH', lots, 0n);
}

async function match(client: pg.PoolClient, id: string, user: string, side: string, limit: bigint, quantity: bigint): Promise<bigint> {
  let remaining = quantity;
  const [other, reaches, order] = side === 'buy' ? ['sell', '<=', 'ASC'] : ['buy', '>=', 'DESC'];
  while (remaining > 0n) {
    const found = await client.query<Resting>(
      `SELECT id, user_id, price, remaining FROM placed_order WHERE side = $1 AND remaining > 0 AND price ${reaches} $2
        ORDER BY price ${order}, id LIMIT 8 FOR UPDATE`,
      [other, limit.toString()],
    );
    if (found.rows.length === 0) break;
    for (const resting of found.rows) {
      if (remaining === 0n) break;
      const price = BigInt(resting.price);
      const lots = remaining < BigInt(resting.remaining) ? remaining : BigInt(resting.remaining);
      await client.query('UPDATE placed_order SET remaining = remaining - $2 WHERE id = $1', [resting.id, lots.toString()]);
      await client.query('INSERT INTO trade (buy_order, sell_order, price, quantity) VALUES ($1, $2, $3, $4)', [
        side === 'buy' ? id : resting.id, side === 'buy' ? resting.id : id, price.toString(), lots.toString(),
      ]);
      if (side === 'buy') await settle(client, user, resting.user_id, limit, price, lots);
      else await settle(client, resting.user_id, user, price, price, lots);
      remaining -= lots;
    }
  }
  return remaining;
}

async function inTransaction(client: pg.PoolClient, user: string, key: string, body: Record<string, unknown>) {
  const side = body.side;
  if (side !== 'buy' && side !== 'sell') throw new BadRequestException('side is buy or sell');
  const [price, quantity] = [units(body.price, PRICE_PLACES), units(body.quantity, QUANTITY_PLACES)];
  const [asset, needed] = side === 'buy' ? ['TST', (price * quantity) / WHOLE] : ['ETH', quantity];
  await client.query('SELECT FROM market WHERE symbol = $1 FOR UPDATE', [body.market]);
  const placed = await client.query<{ id: string }>(
    'INSERT INTO placed_order (user_id, key, side, price, quantity, remaining) VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (user_id, key) DO NOTHING RETURNING id',
    [user, key, side, price.toString(), quantity.toString()],
  );
  if (placed.rows.length === 0) {
    const first = await client.query('SELECT id, remaining FROM placed_order WHERE user_id = $1 AND key = $2', [user, key]);
    return first.rows[0];
  }
  const account = await client.query<{ available: string }>(
    'SELECT balance - held AS available FROM account WHERE user_id = $1 AND asset = $2 FOR UPDATE', [user, asset],
  );
  if (account.rows.length === 0 || BigInt(account.rows[0]!.available) < needed) throw new ConflictException('not enough available');
  await move(client, user, asset, 0n, needed);
  const id = placed.rows[0]!.id;
  const remaining = await match(client, id, user, side, price, quantity);
  if (remaining !== quantity) {
    await client.query('UPDATE placed_order SET remaining = $2 WHERE id = $1', [id, remaining.toString()]);
  }
  return { id, remaining: remaining.toString() };
}

@Controller('v1/orders')
@UseGuards(TokenGuard)
class OrdersController {
  @Post()
  async create(@Req() request: { user: string }, @Headers('idempotency-key') key: string | undefined, @Body() body: Record<string, unknown>) {
    if (!key) throw new BadRequestException('an Idempotency-Key is needed');
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const answer = await inTransaction(client, request.user, key, body);
      await client.query('COMMIT');
      return answer;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  }
}

@Controller('readyz')
class ReadyController {
  @Get()
  async ready() {
    await pool.query('SELECT 1');
    return { ready: true };
  }
}

@Module({ controllers: [OrdersController, ReadyController] })
class OrdersModule {}

await listen(OrdersModule);
