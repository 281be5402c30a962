// Renders generated requests as text, and creates their tokens and nonces.

import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import * as clerk from '../clerk.ts';
import type { Case, Lines, Token, Value } from './cases.ts';

/** A request as text. */
export type Rendered = { path: string; headers: [string, string][] };

/** What binds a handshake to a browser: 16 bytes. */
const STATE = 'c3RhdGUtb2YtYS10ZXN0IQ';
const isHandshake = (name: string) => name.startsWith('__clerk_handshake');

const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * Renders each request twice with the same tokens, since a nonce can be used only once. If a token needs a key that was
 * replaced, the instance's key is rotated.
 */
export async function render(cases: Case[]): Promise<[Rendered, Rendered][]> {
  const kid = (await clerk.keys())[0]?.kid ?? '';
  const tokens = new Map<object, string>();
  const nonces = new Map<Lines, [string, string]>();
  const all = cases.flatMap((drawn) => [...drawn.query, ...drawn.cookies, ['', drawn.bearer ?? ''] as const].map(([, value]) => value));
  const lines = all.filter((value): value is Lines => typeof value === 'object' && 'by' in value);
  const plain = [...all, ...lines.flatMap((handshake) => handshake.lines.map(([, value]) => value))];
  const isToken = (value: Value): value is Token => typeof value === 'object' && 'key' in value;
  const hasToken = (handshake: Lines) => handshake.by === 'token';
  const asToken = (handshake: Lines): Token => ({ key: 'right', header: {}, ...handshake.token, claims: { handshake: text(handshake) } });
  const isRotated = (token: { key?: string } | undefined) => token?.key === 'rotated';
  const [older, newer] = [true, false].map((rotated) => plain.filter(isToken).filter((token) => isRotated(token) === rotated));
  await make(older ?? [], (token) => token);
  if (older?.length) await clerk.rotateKeys();
  await make(newer ?? [], (token) => token);

  const text = (handshake: Lines) =>
    handshake.lines.map(([name, value, rest]) => `${name}=${typeof value === 'object' ? tokens.get(value) : value}${rest}`);
  await make(lines.filter(hasToken), asToken);
  const byNonce = lines.filter((handshake) => handshake.by === 'nonce');
  const stored = await clerk.storeHandshakes(byNonce.flatMap((handshake) => [text(handshake), text(handshake)]));
  byNonce.forEach((handshake, index) => nonces.set(handshake, [stored[2 * index] ?? '', stored[2 * index + 1] ?? '']));

  return cases.map((drawn) => [written(drawn, 0), written(drawn, 1)]);

  async function make<T extends object>(wanted: T[], of: (item: T) => Token): Promise<void> {
    const items = [...new Set(wanted)];
    const isClerks = (item: T) => ['right', 'rotated'].includes(of(item).key);
    const right = items.filter(isClerks);
    const signed = await clerk.signTokens(right.map((item) => ({ header: of(item).header, claims: of(item).claims })));
    right.forEach((item, index) => tokens.set(item, damaged(signed[index] ?? '', of(item).damage)));
    for (const item of items.filter((item) => !isClerks(item))) tokens.set(item, damaged(signedHere(of(item), kid), of(item).damage));
  }

  function written(drawn: Case, side: 0 | 1): Rendered {
    const value = (value: Value): string => {
      if (typeof value === 'string') return value;
      if ('by' in value && value.by === 'nonce') return nonces.get(value)?.[side] ?? '';
      return tokens.get(value) ?? '';
    };
    const isForeign = drawn.traits.has('foreign handshake');
    const counts = ([name]: [string, Value]) => !(isForeign && side === 0 && isHandshake(name));
    // The crate takes a handshake of the browser that was sent on it, and the SDK takes any.
    const isOwn = side === 1 && !isForeign && [...drawn.query, ...drawn.cookies].some(([name]) => isHandshake(name));
    const own = (name: string): [string, Value][] => (isOwn ? [[name, STATE]] : []);
    const query = [...drawn.query.filter(counts), ...own('handshake_state')].map(([name, content]) => `${encodeURIComponent(name)}=${encodeURIComponent(value(content))}`).join('&');
    const cookies = [...drawn.cookies.filter(counts), ...own('__Host-handshake_state')].map(([name, content]) => `${name}=${value(content)}`).join('; ');
    const headers = [...drawn.headers];
    if (cookies) headers.push(['cookie', cookies]);
    if (drawn.bearer !== undefined) headers.push(['authorization', `Bearer ${value(drawn.bearer)}`]);
    return { path: encodeURI(decodeURI(drawn.path)) + (query ? `?${query}` : ''), headers };
  }
}

function signedHere(token: Token, kid: string): string {
  const header = { alg: token.key === 'foreign' ? 'RS256' : token.key, cat: 'cl_B7d4PD111AAA', kid, typ: 'JWT', ...token.header };
  const fields = Object.fromEntries(Object.entries(header).filter(([, value]) => value !== null));
  const message = `${part(fields)}.${part(token.claims)}`;
  switch (token.key) {
    case 'foreign':
      return `${message}.${createSign('RSA-SHA256').update(message).sign(foreign).toString('base64url')}`;
    case 'HS256':
      return `${message}.${createHmac('sha256', kid).update(message).digest('base64url')}`;
    default:
      return `${message}.`;
  }
}

function damaged(token: string, damage: Token['damage']): string {
  switch (damage) {
    case 'padded':
      return `${token}==`;
    case 'bit':
      // In the middle of the signature, where every bit counts.
      return token.slice(0, -20) + (token.at(-20) === 'A' ? 'B' : 'A') + token.slice(-19);
    case 'cut':
      return token.slice(0, token.lastIndexOf('.'));
    default:
      return token;
  }
}
