// Random requests that a browser, a script or an attacker may send, to applications with different configurations.

import { createHash } from 'node:crypto';
import type { Random } from './random.ts';

/** The configuration of an application; the names are those of `crates/clerk-session/examples/session.rs`. */
export type Application = {
  publishableKey: string;
  publicUrl: string;
  proxyUrl?: string;
  jwtKey?: string;
  authorizedParties: string[];
  issuers?: string[];
  audiences?: string[];
  signInUrl?: string;
  isSatellite?: boolean;
  domain?: string;
  satelliteAutoSync?: boolean;
  isBehindProxy?: boolean;
};

type Json = Record<string, unknown>;

/** A token to create. `null` removes a member of the header. */
export type Token = {
  key: 'right' | 'foreign' | 'HS256' | 'none' | 'rotated';
  header: Json;
  claims: Json;
  damage?: 'padded' | 'bit' | 'cut';
};

export type Value = string | Token | Lines;
/** `Set-Cookie` lines of a handshake, by a nonce or in a token. */
export type Lines = { by: 'nonce' | 'token'; token?: Omit<Token, 'claims'>; lines: [name: string, value: Value, rest: string][] };

export type Case = {
  application: Application;
  method: string;
  path: string;
  query: [name: string, value: Value][];
  headers: [name: string, value: string][];
  bearer?: Value;
  cookies: [name: string, value: Value][];
  /** What the differences depend on. */
  traits: Set<Trait>;
};

export type Trait =
  | 'padded'
  | 'pending'
  | 'no session id'
  | 'foreign cookie'
  | 'foreign handshake'
  | 'another address'
  | 'unknown satellite';

/** The stand-in's keys, and a signed-in user. */
export type World = {
  clerkUrl: string;
  publishableKey: string;
  jwtKey: string;
  session: string;
  user: string;
  refresh: string;
  /** Whether a token may be signed with a key that is then replaced; generating a new one takes a while. */
  mayRotate: boolean;
};

const ORIGIN = 'https://privacy.example.org';
const SATELLITE = 'https://lab.example.net';

export function suffix(publishableKey: string): string {
  return createHash('sha1').update(publishableKey).digest('base64url').slice(0, 8);
}

export function frontendApi(publishableKey: string): string {
  return Buffer.from(publishableKey.split('_')[2] ?? '', 'base64').toString().replace('$', '');
}

const key = (kind: 'test' | 'live', host: string) => `pk_${kind}_${Buffer.from(`${host}$`).toString('base64')}`;

/** Generates a request. */
export function draw(random: Random, world: World, now: number): Case {
  const application = drawApplication(random, world);
  const traits = new Set<Trait>();
  const request: Case = {
    application,
    method: random.of('GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'POST', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
    path: random.of('/', '/delete', '/receipt/ab%20c', '/ä/b'),
    query: [],
    headers: [],
    cookies: [],
    traits,
  };
  const token = () => drawToken(random, world, application, now, traits);
  drawQuery(random, request);
  drawHeaders(random, request);
  if (random.happens(0.12)) request.bearer = random.of<() => Value>(token, token, token, token, () => 'not.a.token', () => 'x')();
  if (request.bearer !== undefined && random.happens(0.1)) request.headers.push(['authorization', random.of('Bearer x', 'x')]);
  drawCookies(random, world, request, now, token);
  if (random.happens(0.14)) drawHandshake(random, request, now, token);
  if (random.happens(0.06) && !request.cookies.some(([name]) => name.startsWith('__refresh'))) drawAddress(random, request);
  else if (random.happens(0.12)) drawReferrer(random, request);
  return request;
}

function drawApplication(random: Random, world: World): Application {
  const publishableKey = random.of(
    world.publishableKey,
    key('test', 'brave-cat-1.clerk.accounts.dev'),
    key('live', 'clerk.example.org'),
    key('live', 'clerk.example.org'),
  );
  const application: Application = {
    publishableKey,
    publicUrl: ORIGIN,
    authorizedParties: random.of([ORIGIN], [ORIGIN], [ORIGIN, SATELLITE], []),
  };
  // A few very different configurations rather than many, since each one fetches the keys for itself.
  switch (random.of('plain', 'plain', 'plain', 'proxy', 'pem', 'claims', 'satellite', 'behind', 'primary')) {
    case 'proxy':
      application.proxyUrl = random.of('https://privacy.example.org/__clerk', 'https://proxy.example.org/');
      break;
    case 'pem':
      application.jwtKey = world.jwtKey;
      break;
    case 'claims':
      application.issuers = [`https://${frontendApi(publishableKey)}`];
      application.audiences = ['privacy'];
      break;
    case 'satellite':
      application.isSatellite = true;
      application.publicUrl = SATELLITE;
      application.authorizedParties = [SATELLITE, ORIGIN];
      application.signInUrl = random.of('https://example.org/sign-in', 'https://example.org/sign-in?a=b c');
      application.satelliteAutoSync = random.happens(0.5);
      if (random.happens(0.7)) application.domain = 'lab.example.net';
      else application.proxyUrl = 'https://proxy.example.org/';
      break;
    case 'behind':
      application.isBehindProxy = true;
      break;
    case 'primary':
      application.authorizedParties = [ORIGIN, SATELLITE];
      break;
  }
  return application;
}

function drawToken(random: Random, world: World, application: Application, now: number, traits: Set<Trait>): Token {
  const seconds = Math.floor(now / 1000);
  const api = frontendApi(application.publishableKey);
  const claims: Json = {
    azp: application.publicUrl,
    iss: `https://${api}`,
    sub: world.user,
    sid: world.session,
    iat: seconds + random.of(-3600, -100, -30, -10, -10, -10, -10, 0),
    nbf: seconds - 20,
    exp: seconds + 50,
    fva: [3, -1],
  };
  if (random.happens(0.5)) Object.assign(claims, { v: 2, jti: 'a1', sts: 'active' });
  const token: Token = { key: 'right', header: {}, claims };
  if (random.happens(0.55)) return token;
  for (let changes = random.of(1, 1, 1, 2); changes > 0; changes -= 1) spoil(random, token, seconds, world.mayRotate, traits);
  return token;
}

/** Makes something about a token unusual. */
function spoil(random: Random, token: Token, seconds: number, mayRotate: boolean, traits: Set<Trait>): void {
  const { claims, header } = token;
  switch (
    random.of('exp', 'exp', 'exp', 'nbf', 'iat', 'kind', 'kind', 'azp', 'iss', 'aud', 'cat', 'typ', 'sub', 'sid', 'sts', 'damage', 'kid', 'type')
  ) {
    case 'exp':
      claims['exp'] = seconds + random.of(-86_500, -3600, -90, -6, -5, -5, -4, -1, 0, 1);
      break;
    case 'nbf':
      claims['nbf'] = seconds + random.of(0, 4, 5, 6, 6, 7, 90, 86_500);
      break;
    case 'iat':
      claims['iat'] = seconds + random.of(1, 4, 5, 6, 6, 7, 90, 86_500);
      break;
    case 'kind':
      token.key = random.of('foreign', 'foreign', mayRotate ? 'rotated' : 'right', 'HS256', 'none');
      break;
    case 'azp':
      claims['azp'] = random.of<unknown>('https://evil.example', '', 'https://privacy.example.org.evil.example');
      if (random.happens(0.3)) delete claims['azp'];
      break;
    case 'iss':
      claims['iss'] = random.of<unknown>('https://clerk.other.example', 'http://clerk.example.org', '', 7, false, null);
      if (random.happens(0.3)) delete claims['iss'];
      break;
    case 'aud':
      claims['aud'] = random.of<unknown>('privacy', 'other', ['privacy', 'other'], ['other'], [], [7]);
      break;
    case 'cat':
      header['cat'] = random.of<unknown>(null, 'cl_I7d4PD111III', 'cl_B7d4PD222AAA', 'cl_B7d4PD333AAA', 7);
      break;
    case 'typ':
      header['typ'] = random.of<unknown>(null, 'at+jwt', 'jwt', 'application/at+jwt', 7);
      break;
    case 'sub':
      claims['sub'] = random.of<unknown>('mch_1', 7, null);
      break;
    case 'sid':
      if (random.happens(0.5)) delete claims['sid'];
      else claims['sid'] = '';
      traits.add('no session id');
      break;
    case 'sts':
      claims['sts'] = random.of('pending', 'pending', 'expired');
      if (claims['sts'] === 'pending') traits.add('pending');
      break;
    case 'damage':
      token.damage = random.of('padded', 'padded', 'bit', 'cut');
      if (token.damage === 'padded') traits.add('padded');
      break;
    case 'kid':
      header['kid'] = random.of<unknown>('ins_nobody', 'ins_nobody', null, 7);
      break;
    case 'type':
      header['alg'] = random.of<unknown>('RS384', 'RS512', 'ES256', 'rs256', null);
      break;
  }
}

function drawQuery(random: Random, request: Case): void {
  if (random.happens(0.4)) request.query.push(random.of(['tab', '2'], ['q', "a b+c&d='*~"], ['ü', 'ö'], ['empty', '']));
  if (random.happens(0.07)) request.query.push(['__clerk_db_jwt', random.of('dvb_1', 'dvb_2', '')]);
  if (random.happens(0.02)) request.query.push(['__dev_session', 'dvb_0']);
  if (random.happens(0.02)) request.query.push(['__clerk_help', '1']);
  if (random.happens(request.application.isSatellite ? 0.4 : 0.03)) {
    request.query.push(['__clerk_synced', random.of('true', 'false', 'maybe')]);
  }
  if (random.happens(0.05)) {
    const back = random.of(`${SATELLITE}/here?x=y z&__clerk_synced=false&b=1`, `${SATELLITE}/`, 'https://evil.example/', 'no address');
    request.query.push(['__clerk_redirect_url', back]);
    const { authorizedParties } = request.application;
    const isKnown = back.startsWith(SATELLITE) && authorizedParties.includes(SATELLITE);
    if (back === 'no address' || (authorizedParties.length > 0 && !isKnown)) request.traits.add('unknown satellite');
  }
}

function drawHeaders(random: Random, request: Case): void {
  const add = (name: string, often: number, ...values: string[]) => {
    if (random.happens(often)) request.headers.push([name, random.of(...values)]);
  };
  add('sec-fetch-dest', 0.8, 'document', 'document', 'document', 'document', 'iframe', 'empty', 'image', '');
  add('accept', 0.6, 'text/html', 'text/html,application/xhtml+xml', '*/*', 'application/json, text/html', '');
  add('user-agent', 0.3, 'Mozilla/5.0 (X11; Linux x86_64)');
  add('x-other', 0.05, 'ÿ');
}

function drawCookies(random: Random, world: World, request: Case, now: number, token: () => Token): void {
  const { cookies, application } = request;
  const own = suffix(application.publishableKey);
  const uat = () => {
    const seconds = Math.floor(now / 1000);
    return random.of('1', '1', '1', '1', '0', String(seconds - 10), String(seconds - 11), String(seconds - 9), String(seconds), '', 'x', '12x', '-5');
  };
  const both = (name: string, often: number, value: () => Value) => {
    const same = value();
    const which = random.of('both', 'both', 'suffixed', 'plain', 'differ');
    if (!random.happens(often)) return;
    if (which !== 'suffixed') cookies.push([name, same]);
    if (which !== 'plain') cookies.push([`${name}_${own}`, which === 'differ' ? value() : same]);
  };
  both('__session', 0.85, () => (random.happens(0.05) ? random.of<Value>('', 'x', 'a.b.c', 'a%20b', '%ff') : token()));
  both('__client_uat', 0.85, uat);
  both('__clerk_db_jwt', 0.8, () => random.of('dvb_1', 'dvb_1', 'dvb_2', ''));
  if (random.happens(0.25)) cookies.push([`__refresh_${own}`, random.of(world.refresh, world.refresh, world.refresh, 'rt_wrong')]);
  if (random.happens(0.15)) cookies.push(['__clerk_redirect_count', random.of('0', '1', '2', '3', '4', '7', 'x')]);
  if (random.happens(0.1)) cookies.push(['__session_otherone', token()]);
  if (random.happens(0.1)) cookies.push([random.of('theme', '__session', '__client_uat'), random.of('dark', '"1"', '0')]);
  // Browsers may send cookies in any order.
  if (random.happens(0.3)) cookies.reverse();
}

/** Adds what a handshake brings back from Clerk, or something that pretends to be that. */
function drawHandshake(random: Random, request: Case, now: number, token: () => Token): void {
  const own = suffix(request.application.publishableKey);
  const session = token();
  const lines: Lines['lines'] = [];
  if (random.happens(0.85)) {
    const value: Value = random.happens(0.1) ? random.of('', 'x.y.z') : session;
    lines.push(['__session', value, '; Path=/; SameSite=Lax'], [`__session_${own}`, value, '; Path=/; Secure']);
  }
  lines.push(['__client_uat', String(Math.floor(now / 1000) - 60), '; Path=/; Max-Age=31536000']);
  if (random.happens(0.15)) {
    lines.push(['theme', 'dark', '; Path=/']);
    request.traits.add('foreign cookie');
  }
  const value: Value = random.happens(0.6)
    ? random.happens(0.15) ? 'made_up' : { by: 'nonce', lines }
    : random.happens(0.15) ? random.of('x', 'a.b.c') : { by: 'token', token: handshakeToken(random), lines };
  const name = typeof value === 'string' ? random.of('__clerk_handshake', '__clerk_handshake_nonce') : `__clerk_handshake${value.by === 'nonce' ? '_nonce' : ''}`;
  if (random.happens(0.5)) request.query.push([name, value]);
  else request.cookies.push([name, value]);
  // As if somebody else had been sent on it.
  if (request.bearer === undefined && random.happens(0.25)) request.traits.add('foreign handshake');
}

function handshakeToken(random: Random): Omit<Token, 'claims'> {
  if (random.happens(0.6)) return { key: 'right', header: {} };
  return random.of<Omit<Token, 'claims'>>(
    { key: 'foreign', header: {} },
    { key: 'HS256', header: {} },
    { key: 'right', header: { kid: 'ins_nobody' } },
    { key: 'right', header: { cat: 'cl_B7d4PD222AAA' } },
    { key: 'right', header: { cat: null } },
    { key: 'right', header: { typ: 'at+jwt' } },
  );
}

/** Adds headers that claim a public address other than the configured one. */
function drawAddress(random: Random, request: Case): void {
  const { headers, application, traits } = request;
  const forwarded: [string, string][] = [
    ['x-forwarded-host', random.of('other.example.org', 'other.example.org:8443', 'other.example.org, proxy.example')],
    ['x-forwarded-proto', random.of('http', 'https', 'https,http')],
  ];
  if (application.isBehindProxy) {
    headers.push(['host', new URL(application.publicUrl).host]);
    headers.push(...random.of(forwarded, forwarded.slice(0, 1), forwarded.slice(1)));
  } else {
    headers.push(...random.of(forwarded, [['host', 'evil.example'] as [string, string]]));
    traits.add('another address');
  }
}

function drawReferrer(random: Random, request: Case): void {
  const api = frontendApi(request.application.publishableKey);
  const referrer = random.of(
    `${SATELLITE}/page`,
    `${SATELLITE}/page`,
    `${ORIGIN}/page`,
    'https://search.example/',
    `https://${api}/v1/x`,
    'https://accounts.example.org/sign-in',
    'https://brave-cat-1.accounts.dev/sign-in',
    'https://proxy.example.org/v1',
    'no address',
  );
  request.headers.push(['referer', referrer]);
  const { authorizedParties, publicUrl } = request.application;
  const origin = URL.canParse(referrer) ? new URL(referrer).origin : publicUrl;
  if (authorizedParties.length > 0 && ![...authorizedParties, publicUrl].includes(origin)) request.traits.add('unknown satellite');
}
