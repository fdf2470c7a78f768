// The peer: a NestJS microservice as its documentation shows, with one request and one event handler.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 });

@Controller()
class EchoController {
  @MessagePattern('bench.echo')
  echo(@Payload() message: { n: number; text: string }) {
    return message;
  }
}

@Controller()
class EffectController {
  @EventPattern<Record<string, { id: string; n: number }>>(process.env.EFFECT_TOPIC ?? 'bench.effect')
  async effect(@Payload() message: { id: string; n: number }) {
    await pool.query('INSERT INTO effect (id, n) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING', [message.id, message.n]);
  }
}

@Module({ controllers: [process.env.EFFECT_TOPIC ? EffectController : EchoController] })
class BenchModule {}

const app = await NestFactory.createMicroservice<MicroserviceOptions>(BenchModule, {
  logger: false,
  transport: Transport.KAFKA,
  options: {
    client: { brokers: [process.env.BROKERS!], logLevel: 0 },
    consumer: { groupId: process.env.GROUP ?? 'bench-peer' },
    subscribe: { fromBeginning: true },
    // 1 is the default of kafkajs and so of NestJS.
    run: { partitionsConsumedConcurrently: Number(process.env.PARTITIONS_AT_ONCE ?? 1) },
  },
});
await app.listen();
console.log('ready');
