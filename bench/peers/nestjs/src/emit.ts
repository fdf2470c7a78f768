// Writes the peer's backlog: COUNT events with ids that grow with time, as the other side's do.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { ClientKafka } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

const count = Number(process.env.COUNT);
const topic = process.env.EFFECT_TOPIC!;
const client = new ClientKafka({ client: { brokers: [process.env.BROKERS!], logLevel: 0 }, producerOnlyMode: true });
await client.connect();

// UUID version 7.
function newId(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  const random = randomBytes(10);
  random[0] = 0x70 | (random[0]! & 0x0f);
  random[2] = 0x80 | (random[2]! & 0x3f);
  const rest = random.toString('hex');
  return `${time.slice(0, 8)}-${time.slice(8)}-${rest.slice(0, 4)}-${rest.slice(4, 8)}-${rest.slice(8)}`;
}

for (let first = 0; first < count; first += 1000) {
  const messages = Array.from({ length: Math.min(1000, count - first) }, (_, i) => ({
    key: String(first + i),
    value: { id: newId(), n: first + i },
  }));
  await firstValueFrom(client.emitBatch(topic, { messages }), { defaultValue: undefined });
}
await client.close();
process.exit(0);
