// A NestJS service as its documentation shows, on the same Kafka as the services of the tests. It answers one request and
// handles one event; what it asks and emits it is told on its input, a JSON object a line, and what came of it, and
// each event that reaches it, it writes to its output in the same way.
import 'reflect-metadata';
import { createInterface } from 'node:readline';
import { Controller, Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientKafka,
  ClientsModule,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

const brokers = [process.env.BROKERS!];
// Each test has topics and groups of its own.
const name = process.env.NAME!;
const topic = (what: string) => `svc.${name}.${what}.v1`;
// Not to be told of each rebalance.
const logLevel = 0;
// One that dies is missed sooner than after the 30 s that are the default.
const consumer = { groupId: name, sessionTimeout: 10_000, heartbeatInterval: 1_000 };

function tell(what: object) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

type Order =
  | { id: number; send: string; data: object }
  | { id: number; emit: string; message: { key?: string; value: object; headers?: Record<string, string> } };

@Controller()
class ShopController implements OnApplicationBootstrap {
  constructor(@Inject('NEIGHBOURS') private readonly neighbours: ClientKafka) {}

  async onApplicationBootstrap() {
    this.neighbours.subscribeToResponseOf(topic('stock'));
    await this.neighbours.connect();
  }

  @MessagePattern(topic('price'))
  price(@Payload() asked: { number: number }) {
    if (asked.number < -1) throw new Error('not meant for others');
    if (asked.number < 0) throw new RpcException({ code: 'shop.price.negative', message: 'no such thing' });
    return { number: asked.number * 10 };
  }

  @EventPattern<Record<string, { number: number }>>(topic('paid'))
  paid(@Payload() event: { number: number }) {
    tell({ paid: event.number });
  }

  async obey(order: Order) {
    try {
      if ('send' in order) {
        tell({ id: order.id, answer: await firstValueFrom(this.neighbours.send(order.send, order.data)) });
      } else {
        await firstValueFrom(this.neighbours.emit(order.emit, order.message), { defaultValue: undefined });
        tell({ id: order.id, answer: null });
      }
    } catch (error) {
      tell({ id: order.id, error });
    }
  }
}

@Module({
  imports: [
    ClientsModule.register([
      {
        name: 'NEIGHBOURS',
        transport: Transport.KAFKA,
        options: { client: { clientId: name, brokers, logLevel }, consumer },
      },
    ]),
  ],
  controllers: [ShopController],
})
class ShopModule {}

const app = await NestFactory.createMicroservice<MicroserviceOptions>(ShopModule, {
  logger: false,
  transport: Transport.KAFKA,
  options: {
    client: { clientId: name, brokers, logLevel },
    consumer,
    subscribe: { fromBeginning: true },
  },
});
app.enableShutdownHooks();
await app.listen();
const shop = app.get(ShopController);
createInterface({ input: process.stdin })
  .on('line', (line) => void shop.obey(JSON.parse(line)))
  // Whoever gave the orders is gone.
  .on('close', () => process.exit(0));
tell({ ready: true });
