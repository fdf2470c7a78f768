// The peer's publishing side: `emit` with OUTSTANDING messages not yet acknowledged, for WARM_UP_MS and then RUN_MS. Prints
// `begin` and `end` around the run, and one line of JSON.
import 'reflect-metadata';
import { ClientKafka } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

const topic = process.env.TOPIC!;
const client = new ClientKafka({ client: { brokers: [process.env.BROKERS!], logLevel: 0 }, producerOnlyMode: true });
await client.connect();

const text = 'x'.repeat(250);
const begin = performance.now() + Number(process.env.WARM_UP_MS);
const end = begin + Number(process.env.RUN_MS);
let sent = 0;
let count = 0;
setTimeout(() => console.log('begin'), Number(process.env.WARM_UP_MS));
const emitting = Array.from({ length: Number(process.env.OUTSTANDING) }, async () => {
  while (performance.now() < end) {
    const n = sent++;
    await firstValueFrom(client.emit(topic, { key: String(n), value: { n, text } }), { defaultValue: undefined });
    const now = performance.now();
    if (begin <= now && now < end) count++;
  }
});
await Promise.all(emitting);
console.log('end');
console.log(JSON.stringify({ count, sent }));
await client.close();
process.exit(0);
