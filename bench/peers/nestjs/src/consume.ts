// The peer's handling side with a handler that only counts. It prints `begin` WARM_UP_MS after the first event, `end` RUN_MS
// later, and one line of JSON when all COUNT events are handled.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload, Transport, type MicroserviceOptions } from '@nestjs/microservices';

const expected = Number(process.env.COUNT);
const seen = new Uint8Array(expected);
let handled = 0;
let distinct = 0;
let first = 0;
let last = 0;
let atBegin = 0;
let begin = 0;
let run: { count: number; run_ms: number; lasted: boolean } | undefined;

function begins() {
  atBegin = handled;
  begin = performance.now();
  console.log('begin');
  setTimeout(ends, Number(process.env.RUN_MS));
}

function ends() {
  run = { count: handled - atBegin, run_ms: performance.now() - begin, lasted: handled < expected };
  console.log('end');
  if (!run.lasted) tell();
}

function tell() {
  console.log(JSON.stringify({ ...run, handled, distinct, all_ms: last - first }));
  void app.close().then(() => process.exit(0));
}

@Controller()
class IgnoringController {
  @EventPattern<Record<string, { id: string; n: number }>>(process.env.EFFECT_TOPIC!)
  ignore(@Payload() message: { id: string; n: number }) {
    if (handled === 0) {
      first = performance.now();
      setTimeout(begins, Number(process.env.WARM_UP_MS));
    }
    handled++;
    if (seen[message.n] === 0) distinct++;
    seen[message.n] = 1;
    if (handled === expected) {
      last = performance.now();
      if (run?.lasted) tell();
    }
  }
}

@Module({ controllers: [IgnoringController] })
class IgnoringModule {}

const app = await NestFactory.createMicroservice<MicroserviceOptions>(IgnoringModule, {
  logger: false,
  transport: Transport.KAFKA,
  options: {
    client: { brokers: [process.env.BROKERS!], logLevel: 0 },
    consumer: { groupId: process.env.GROUP! },
    subscribe: { fromBeginning: true },
  },
});
await app.listen();
