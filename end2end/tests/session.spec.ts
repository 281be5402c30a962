// Clerk's SDK and the crate clerk-session authenticate the same generated requests and must agree.

import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import { ClerkSession, Sdk, type Outcome } from '../support/session/authenticate.ts';
import { draw, type Case, type World } from '../support/session/cases.ts';
import { differences } from '../support/session/differences.ts';
import { Random } from '../support/session/random.ts';
import { render, type Rendered } from '../support/session/render.ts';
import { settings } from '../support/settings.ts';

const example = process.env['LETHE_SESSION_EXAMPLE'];
const seed = Number(process.env['LETHE_SESSION_SEED'] ?? Date.now() % 1_000_000);
const requests = Number(process.env['LETHE_SESSION_REQUESTS'] ?? 2_000);
/** How many requests share a time: few enough that tokens the stand-in signs meanwhile aren't in their future. */
const BATCH = 200;

/** More requests are generated until every reason and difference has occurred, at most this many times as many. */
const MAX_ROUNDS = 10;

/** All of these must occur; otherwise the generated requests don't cover enough. */
const REASONS = [
  'client-uat-but-no-session-token',
  'dev-browser-missing',
  'dev-browser-sync',
  'jwk-kid-mismatch',
  'primary-domain-cross-origin-sync',
  'primary-responds-to-syncing',
  'satellite-needs-syncing',
  'session-token-and-uat-missing',
  'session-token-but-no-client-uat',
  'session-token-expired-refresh-non-eligible-no-refresh-cookie',
  'session-token-expired-refresh-non-eligible-non-get',
  'session-token-expired-refresh-refresh_token_invalid',
  'session-token-iat-before-client-uat',
  'session-token-iat-in-the-future',
  'session-token-missing',
  'session-token-nbf',
  'token-invalid',
  'token-invalid-algorithm',
  'token-invalid-authorized-parties',
  'token-invalid-issuer',
  'token-invalid-signature',
  'token-type-mismatch',
  'token-verification-failed',
];

test("clerk-session decides as Clerk's SDK does", async () => {
  test.skip(!example, 'LETHE_SESSION_EXAMPLE is not set: `cargo build -p clerk-session --example session`');
  console.log(`to repeat these requests, set LETHE_SESSION_SEED=${seed}`);
  const random = new Random(seed);
  const world = await prepare();
  const [sdk, crate] = [new Sdk(), new ClerkSession(example ?? '')];
  const seen = { reasons: new Set<string | null>(), differences: new Set<string>(), disagreements: [] as unknown[], inOrder: 0 };
  const missing = () => REASONS.filter((reason) => !seen.reasons.has(reason));
  const unseen = () => differences.filter(({ entry, shownBy }) => !shownBy && !seen.differences.has(entry)).map(({ entry }) => entry);
  const isIncomplete = () => missing().length + unseen().length > 0;
  test.setTimeout(5 * 60_000);
  for (let done = 0; done < requests || (isIncomplete() && done < MAX_ROUNDS * requests); done += BATCH) {
    const now = Date.now();
    const cases = Array.from({ length: BATCH }, () => draw(random, { ...world, mayRotate: done === 0 }, now));
    const rendered = await render(cases);
    for (const [index, drawn] of cases.entries()) {
      const [toSdk, toCrate] = rendered[index] as [Rendered, Rendered];
      const theirs = masked(await silently(() => sdk.authenticate(drawn, toSdk, now)), toSdk);
      const ours = masked(withoutState(await crate.authenticate(drawn, toCrate, now)), toCrate);
      seen.reasons.add(theirs.reason);
      if (ours.status === 'signed-in') seen.inOrder += 1;
      const difference = compare(drawn, theirs, ours, seen.differences);
      if (difference) seen.disagreements.push({ number: done + index, theirs, ours, traits: [...drawn.traits], drawn, ...toCrate });
    }
  }
  crate.end();
  expect(seen.disagreements.slice(0, 3), `${seen.disagreements.length} disagreements with seed ${seed}`).toEqual([]);
  expect(missing(), 'reasons that never occurred').toEqual([]);
  expect(seen.inOrder, 'requests that were signed in').toBeGreaterThan(requests / 20);
  expect(unseen(), 'listed differences that never occurred').toEqual([]);
});

test("clerk-session's documented differences are the tested ones", () => {
  const module = readFileSync(new URL('../../crates/clerk-session/src/lib.rs', import.meta.url), 'utf8');
  const [, list = ''] = module.split('# Deliberate differences from the SDK\n');
  const lines = list.split('\n//!\n')[0]?.split('\n').map((line) => line.replace(/^\/\/! ?/, '')) ?? [];
  const entries = lines.join('\n').split(/^\* /m).slice(1).map((entry) => entry.replace(/\s+/g, ' ').trim());
  expect(entries.length).toBe(differences.length);
  entries.forEach((entry, index) => expect(entry.startsWith(differences[index]?.entry ?? '?'), entry).toBe(true));
});

async function prepare(): Promise<World> {
  const user = (await clerk.createUser('Session', 'Tester', `session.${Date.now()}@example.org`, [])).id;
  const lines = await clerk.handshake(user, `${settings.url}/`);
  const valueOf = (start: string) => lines.find((line) => line.startsWith(start))?.split(/[=;]/)[1] ?? '';
  const claims = JSON.parse(Buffer.from(valueOf('__session=').split('.')[1] ?? '', 'base64url').toString()) as { sid: string };
  // The key that is tested without network is of the time after the rotation, so the first one isn't enough.
  await clerk.rotateKeys();
  const { createPublicKey } = await import('node:crypto');
  const pem = createPublicKey({ key: (await clerk.keys())[0] as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  return {
    clerkUrl: settings.clerkUrl,
    publishableKey: settings.clerkPublishableKey,
    jwtKey: pem.toString(),
    session: claims.sid,
    user,
    refresh: valueOf('__refresh_'),
    mayRotate: false,
  };
}

/** Whether the outcomes differ for a reason that isn't listed. Notes the listed ones. */
function compare(drawn: Case, theirs: Outcome, ours: Outcome, occurred: Set<string>): boolean {
  let expected = theirs;
  for (const { entry, without } of differences) {
    const rest = without?.(expected) ?? expected;
    if (!equal(rest, expected)) occurred.add(entry);
    expected = rest;
  }
  if (equal(expected, ours)) return false;
  const reason = differences.find(({ explains }) => explains?.(drawn, expected, ours));
  if (reason) occurred.add(reason.entry);
  return !reason;
}

function equal(one: Outcome, other: Outcome): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Leaves out how the crate binds a handshake to the browser: a parameter, a cookie, and no leftovers of another handshake. */
function withoutState(outcome: Outcome): Outcome {
  const location = outcome.location?.replace(/(%3F|%26)handshake_state%3D[\w-]{22}/, '') ?? null;
  const isState = (line: string) => /^__(Host-)?handshake_state=|^__clerk_handshake(_nonce)?=;/.test(line);
  const cookies = outcome.status === 'handshake' ? outcome.cookies.filter((line) => !isState(line)) : outcome.cookies;
  return { ...outcome, location, cookies };
}

/** Masks what differs by chance: the nonce, and the tokens of a refreshed session. */
function masked(outcome: Outcome, request: Rendered): Outcome {
  // Clerk's are long. A short one is made up, the same for both, and may be part of any word.
  const nonce = /__clerk_handshake_nonce=(\w{20,})/.exec(`${request.path} ${request.headers.join(' ')}`)?.[1];
  const mask = (text: string) => (nonce ? text.replaceAll(nonce, 'NONCE') : text);
  const token = (text: string) => text.replace(/=[^.;=]+\.([^.;]+)\.[^.;]*;/, (_, claims: string) => `=${subjectOf(claims)};`);
  const { status, reason, location, cookies, session, allowOrigin } = outcome;
  return { status, reason, location: location && mask(location), cookies: cookies.map(mask).map(token), session, allowOrigin };
}

function subjectOf(part: string): string {
  try {
    const claims = JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
    return `token of ${String(claims['sub'])}, ${String(claims['sid'])}, for ${String(claims['azp'])}`;
  } catch {
    return 'no token';
  }
}

/** Silences the console, to which Clerk's SDK writes its warnings. */
async function silently<T>(work: () => Promise<T>): Promise<T> {
  const { log, warn, error } = console;
  Object.assign(console, { log: () => {}, warn: () => {}, error: () => {} });
  try {
    return await work();
  } finally {
    Object.assign(console, { log, warn, error });
  }
}
