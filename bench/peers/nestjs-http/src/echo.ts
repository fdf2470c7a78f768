// A GET and a POST that only read and answer.
import 'reflect-metadata';
import { BadRequestException, Body, Controller, Get, HttpCode, Module, Post, Req, UseGuards } from '@nestjs/common';
import { TokenGuard } from './auth.js';
import { listen } from './listen.js';

interface Echo {
  market: string;
  side: string;
  price: string;
  quantity: string;
  note: string;
}
const FIELDS = ['market', 'side', 'price', 'quantity', 'note'];

function checked(body: unknown): Echo {
  const fields = body && typeof body === 'object' ? Object.entries(body) : [];
  if (fields.length !== FIELDS.length || !fields.every(([name, value]) => FIELDS.includes(name) && typeof value === 'string')) {
    throw new BadRequestException('a field is missing, unknown or no text');
  }
  return body as Echo;
}

@Controller('v1/echo')
@UseGuards(TokenGuard)
class EchoController {
  @Get()
  read(@Req() request: { user: string }) {
    return { user: request.user, market: 'ETH-TST', side: 'buy', price: '2000.01', quantity: '0.5', note: 'x'.repeat(100) };
  }

  @Post()
  @HttpCode(200)
  write(@Body() body: unknown) {
    return checked(body);
  }
}

@Module({ controllers: [EchoController] })
class EchoModule {}

await listen(EchoModule);
