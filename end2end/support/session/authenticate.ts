// Authenticates requests with Clerk's SDK, in this process, and with clerk-session, in its example program `session`.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createClerkClient } from '@clerk/backend';
import { settings } from '../settings.ts';
import type { Application, Case } from './cases.ts';
import type { Rendered } from './render.ts';

export type Outcome = {
  status: 'signed-in' | 'signed-out' | 'handshake' | 'clean' | 'throws';
  reason: string | null;
  location: string | null;
  cookies: string[];
  /** The ids of the user and the session. */
  session: [string, string] | null;
  /** `Access-Control-Allow-Origin`, which the SDK's handshakes carry. */
  allowOrigin: string | null;
};

/** Clerk's SDK, with its clock at `now`. */
export class Sdk {
  readonly #clients = new Map<string, ReturnType<typeof createClerkClient>>();

  async authenticate(drawn: Case, request: Rendered, now: number): Promise<Outcome> {
    const { application, method } = drawn;
    const url = application.publicUrl + request.path;
    const options = {
      publishableKey: application.publishableKey,
      authorizedParties: application.authorizedParties,
      audience: application.audiences ?? [],
      issuer: application.issuers ?? [],
      proxyUrl: application.proxyUrl ?? '',
      domain: application.domain ?? '',
      isSatellite: application.isSatellite ?? false,
      signInUrl: application.signInUrl ?? '',
      satelliteAutoSync: application.satelliteAutoSync ?? false,
      ...(application.jwtKey ? { jwtKey: application.jwtKey } : {}),
    };
    const headers = new Headers();
    for (const [name, value] of request.headers) headers.append(name, value);
    const clock = Date.now;
    Date.now = () => now;
    try {
      const state = await this.#client(application).authenticateRequest(new Request(url, { method, headers }), options);
      const auth = state.status === 'handshake' ? null : state.toAuth();
      const claims = state.status === 'signed-in' && auth && 'userId' in auth ? decoded(state.token) : null;
      const location = state.headers.get('location');
      const isClean = state.status !== 'handshake' && location !== null;
      return {
        status: isClean ? 'clean' : state.status,
        reason: isClean ? null : state.reason,
        location,
        cookies: state.headers.getSetCookie(),
        session: isClean || !claims ? null : [String(claims['sub']), String(claims['sid'])],
        allowOrigin: state.headers.get('access-control-allow-origin'),
      };
    } catch (error) {
      return { status: 'throws', reason: String(error), location: null, cookies: [], session: null, allowOrigin: null };
    } finally {
      Date.now = clock;
    }
  }

  #client(application: Application): ReturnType<typeof createClerkClient> {
    const { publishableKey } = application;
    const client =
      this.#clients.get(publishableKey) ??
      createClerkClient({ secretKey: settings.clerkSecretKey, publishableKey, apiUrl: settings.clerkUrl, telemetry: { disabled: true } });
    this.#clients.set(publishableKey, client);
    return client;
  }
}

function decoded(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}

/** The crate clerk-session, with its clock at `now`. */
export class ClerkSession {
  readonly #program;
  readonly #lines;

  constructor(path: string) {
    const environment = { CLERK_API_URL: settings.clerkUrl, CLERK_SECRET_KEY: settings.clerkSecretKey };
    this.#program = spawn(path, { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#program.stdout })[Symbol.asyncIterator]();
  }

  async authenticate(drawn: Case, request: Rendered, now: number): Promise<Outcome> {
    const { application, method } = drawn;
    this.#program.stdin.write(`${JSON.stringify({ application, now, method, ...request })}\n`);
    const line = await this.#lines.next();
    if (line.done) throw new Error('the example program exited');
    return { ...(JSON.parse(line.value) as Omit<Outcome, 'allowOrigin'>), allowOrigin: null };
  }

  end(): void {
    this.#program.stdin.end();
  }
}
