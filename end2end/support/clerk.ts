// Clerk's Backend API, and the stand-in's control routes, which inject failures.

import { settings } from './settings.ts';

export type User = {
  id: string;
  first_name: string | null;
  last_name: string | null;
  email_addresses: { email_address: string }[];
  public_metadata: Record<string, unknown>;
};

async function ask(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${settings.clerkUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${settings.clerkSecretKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function told<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await ask(method, path, body);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** Returns a user, or undefined if Clerk has none with this id. */
export async function user(id: string): Promise<User | undefined> {
  const answer = await ask('GET', `/v1/users/${id}`);
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`GET /v1/users: ${answer.status}`);
  return (await answer.json()) as User;
}

export async function createUser(firstName: string, lastName: string, email: string, products: string[]): Promise<User> {
  return told('POST', '/v1/users', {
    first_name: firstName,
    last_name: lastName,
    email_address: [email],
    public_metadata: { products },
  });
}

/** Writes to a user's metadata, as another application would. */
export async function mergeMetadata(id: string, publicMetadata: Record<string, unknown>): Promise<void> {
  await told('PATCH', `/v1/users/${id}/metadata`, { public_metadata: publicMetadata });
}

/** Returns a user's preferences as mirrored to Clerk. */
export async function consent(id: string): Promise<Record<string, unknown> | undefined> {
  return (await user(id))?.public_metadata['consent'] as Record<string, unknown> | undefined;
}

/** Signs a user in without a browser. Returns a session token that is valid for half an hour. */
export async function token(id: string): Promise<string> {
  const session = await told<{ id: string }>('POST', '/v1/sessions', { user_id: id });
  const answer = await told<{ jwt: string }>('POST', `/v1/sessions/${session.id}/tokens`, { expires_in_seconds: 1800 });
  return answer.jwt;
}

export async function createSession(userId: string): Promise<string> {
  return (await told<{ id: string }>('POST', '/v1/sessions', { user_id: userId })).id;
}

export async function tokenOf(session: string): Promise<string> {
  return (await told<{ jwt: string }>('POST', `/v1/sessions/${session}/tokens`)).jwt;
}

export async function revoke(session: string): Promise<void> {
  await told('POST', `/v1/sessions/${session}/revoke`);
}

/** Runs `act` while the stand-in's clock is this many milliseconds ahead. */
export async function at<T>(ahead: number, act: () => Promise<T>): Promise<T> {
  await ask('PUT', '/control/clock', { ahead });
  try {
    return await act();
  } finally {
    await ask('PUT', '/control/clock', { ahead: 0 });
  }
}

export type Fault = {
  operation?: string;
  path?: string;
  times?: number;
  moment?: 'before' | 'after';
  status?: number;
  code?: string;
  retry_after?: number;
  latency?: number;
  drop?: boolean;
};

export async function addFault(fault: Fault): Promise<void> {
  await told('POST', '/control/faults', fault);
}

export async function endFaults(): Promise<void> {
  await ask('DELETE', '/control/faults');
}

/** Returns how the stand-in's responses violated Clerk's OpenAPI descriptions. */
export async function violations(): Promise<string[]> {
  return (await told<{ violations: string[] }>('GET', '/control/conformance')).violations;
}

/** Creates a ticket that signs a user in, once. */
export async function ticket(id: string): Promise<string> {
  return (await told<{ token: string }>('POST', '/v1/sign_in_tokens', { user_id: id })).token;
}

/** Sets the stand-in's clock ahead of this machine's. */
export async function setClockAhead(milliseconds: number): Promise<void> {
  await ask('PUT', '/control/clock', { ahead: milliseconds });
}

/** Signs tokens with any claims, using the instance's newest key. */
export async function signTokens(tokens: { header?: object; claims: object }[]): Promise<string[]> {
  return told('POST', '/control/tokens', tokens);
}

/** Stores the `Set-Cookie` lines of handshakes. Returns their nonces. */
export async function storeHandshakes(handshakes: string[][]): Promise<string[]> {
  return told('POST', '/control/handshakes', handshakes);
}

/** Signs with a new key from now on; the old ones are still published. */
export async function rotateKeys(): Promise<void> {
  await told('POST', '/control/keys', {});
}

/** Returns the public keys, the newest first. */
export async function keys(): Promise<(JsonWebKey & { kid: string })[]> {
  return (await told<{ keys: (JsonWebKey & { kid: string })[] }>('GET', '/v1/jwks')).keys;
}

/** Signs a user in with a new browser. Returns the `Set-Cookie` lines of the handshake that leads back to `page`. */
export async function handshake(userId: string, page: string): Promise<string[]> {
  const form = new URLSearchParams({ user_id: userId, redirect_url: page });
  const signedIn = await fetch(`${settings.clerkUrl}/sign-in`, { method: 'POST', body: form, redirect: 'manual' });
  const browser = new URL(signedIn.headers.get('location') ?? '').searchParams.get('__clerk_db_jwt') ?? '';
  const query = new URLSearchParams({ redirect_url: page, format: 'token', __clerk_db_jwt: browser });
  const back = await fetch(`${settings.clerkUrl}/v1/client/handshake?${query}`, { redirect: 'manual' });
  const token = new URL(back.headers.get('location') ?? '').searchParams.get('__clerk_handshake') ?? '';
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { handshake: string[] };
  return claims.handshake;
}
