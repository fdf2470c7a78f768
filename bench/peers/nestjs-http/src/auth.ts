// Who calls, by the same access tokens as on the other side (EdDSA), and how often. The key is built once, and the rate is a
// map in memory: what a careful team would write, not the slowest that works.
import { createPublicKey, verify } from 'node:crypto';
import { HttpException, Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';

const key = createPublicKey(process.env.TOKEN_KEY!);
const PER_SECOND = 1_000_000;
const buckets = new Map<string, { left: number; at: number }>();

export function userOf(token: string): string {
  const [header, body, signature] = token.split('.');
  if (!header || !body || !signature) throw new UnauthorizedException();
  const signed = Buffer.from(`${header}.${body}`);
  if (!verify(null, signed, key, Buffer.from(signature, 'base64url'))) throw new UnauthorizedException();
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const now = Date.now() / 1000;
  if (claims.iss !== 'ferrex-core' || claims.aud !== 'ferrex' || claims.exp <= now) throw new UnauthorizedException();
  return claims.sub;
}

function checkRate(user: string): void {
  const now = Date.now();
  const bucket = buckets.get(user);
  if (!bucket) {
    buckets.set(user, { left: PER_SECOND - 1, at: now });
    return;
  }
  bucket.left = Math.min(PER_SECOND, bucket.left + ((now - bucket.at) * PER_SECOND) / 1000) - 1;
  bucket.at = now;
  if (bucket.left < 0) throw new HttpException('too many calls', 429);
}

@Injectable()
export class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest();
    const header: string = request.headers.authorization ?? '';
    if (!header.startsWith('Bearer ')) throw new UnauthorizedException();
    request.user = userOf(header.slice(7));
    checkRate(request.user);
    return true;
  }
}
