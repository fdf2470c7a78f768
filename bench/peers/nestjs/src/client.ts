// The peer's asking side: requests with IN_FLIGHT outstanding for WARM_UP_MS and then RUN_MS. Prints `begin` and `end` around
// the run, and one line of JSON.
import 'reflect-metadata';
import { ClientKafka } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

const inFlight = Number(process.env.IN_FLIGHT);
const client = new ClientKafka({
  client: { brokers: [process.env.BROKERS!], logLevel: 0 },
  consumer: { groupId: process.env.GROUP ?? 'bench-peer' },
});
client.subscribeToResponseOf('bench.echo');
await client.connect();

const text = 'x'.repeat(250);
let next = 0;
// Answers a run's latencies in nanoseconds; what is asked before its end and answered after it counts for nothing.
async function run(ms: number): Promise<number[]> {
  const latencies: number[] = [];
  const end = process.hrtime.bigint() + BigInt(ms) * 1_000_000n;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (process.hrtime.bigint() < end) {
        const n = next++;
        const begin = process.hrtime.bigint();
        const reply = await firstValueFrom(client.send('bench.echo', { n, text }));
        if (reply.n !== n || reply.text !== text) throw new Error(`asked ${n}, was answered ${JSON.stringify(reply)}`);
        const answered = process.hrtime.bigint();
        if (answered < end) latencies.push(Number(answered - begin));
      }
    }),
  );
  return latencies;
}

await run(Number(process.env.WARM_UP_MS));
console.log('begin');
const latencies = await run(Number(process.env.RUN_MS));
console.log('end');
latencies.sort((a, b) => a - b);
const at = (quantile: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * quantile))]! / 1e6;
console.log(JSON.stringify({ count: latencies.length, p50_ms: at(0.5), p99_ms: at(0.99) }));
await client.close();
process.exit(0);
