// Who asks? Clerk's own library and Lethe get the same requests and must agree.

import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import { Lethe, Sdk, type Answer } from '../support/session/ask.ts';
import { draw, type Case, type World } from '../support/session/cases.ts';
import { differences } from '../support/session/differences.ts';
import { Random } from '../support/session/random.ts';
import { render, type Rendered } from '../support/session/render.ts';
import { settings } from '../support/settings.ts';

const example = process.env['LETHE_SESSION_EXAMPLE'];
const seed = Number(process.env['LETHE_SESSION_SEED'] ?? Date.now() % 1_000_000);
const requests = Number(process.env['LETHE_SESSION_REQUESTS'] ?? 2_000);
/** Requests with one time: what the stand-in signs for them in the meantime is not yet in their future. */
const AT_ONCE = 200;

/** What hasn't occurred by then is rare by chance: as many again are drawn, at most so many times. */
const PATIENCE = 10;

/** Each must have occurred, or the requests have become too tame. */
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

test("Lethe decides as Clerk's library does", async () => {
  test.skip(!example, 'LETHE_SESSION_EXAMPLE is not set: `cargo build -p server --example session`');
  console.log(`requests follow from LETHE_SESSION_SEED=${seed}`);
  const random = new Random(seed);
  const world = await prepare();
  const [sdk, lethe] = [new Sdk(), new Lethe(example ?? '')];
  const seen = { reasons: new Set<string | null>(), differences: new Set<string>(), disagreements: [] as unknown[], inOrder: 0 };
  const missing = () => REASONS.filter((reason) => !seen.reasons.has(reason));
  const unseen = () => differences.filter(({ entry, shownBy }) => !shownBy && !seen.differences.has(entry)).map(({ entry }) => entry);
  const isTame = () => missing().length + unseen().length > 0;
  test.setTimeout(5 * 60_000);
  for (let done = 0; done < requests || (isTame() && done < PATIENCE * requests); done += AT_ONCE) {
    const now = Date.now();
    const cases = Array.from({ length: AT_ONCE }, () => draw(random, { ...world, mayRotate: done === 0 }, now));
    const rendered = await render(cases);
    for (const [index, drawn] of cases.entries()) {
      const [toSdk, toLethe] = rendered[index] as [Rendered, Rendered];
      const theirs = masked(await silently(() => sdk.ask(drawn, toSdk, now)), toSdk);
      const ours = masked(await lethe.ask(drawn, toLethe, now), toLethe);
      seen.reasons.add(theirs.reason);
      if (ours.status === 'signed-in') seen.inOrder += 1;
      const difference = compare(drawn, theirs, ours, seen.differences);
      if (difference) seen.disagreements.push({ number: done + index, theirs, ours, traits: [...drawn.traits], drawn, ...toLethe });
    }
  }
  lethe.end();
  expect(seen.disagreements.slice(0, 3), `${seen.disagreements.length} disagreements with seed ${seed}`).toEqual([]);
  expect(missing(), 'reasons that never occurred').toEqual([]);
  expect(seen.inOrder, 'people who were signed in').toBeGreaterThan(requests / 20);
  expect(unseen(), 'listed differences that are none').toEqual([]);
});

test("the session layer's list of differences is the one that is tested", () => {
  const module = readFileSync(new URL('../../server/src/session/mod.rs', import.meta.url), 'utf8');
  const [, list = ''] = module.split('# Deliberate differences to the SDK\n');
  const lines = list.split('\n\n')[0]?.split('\n').map((line) => line.replace(/^\/\/! ?/, '')) ?? [];
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

/** Whether they differ for no listed reason. Notes the listed ones. */
function compare(drawn: Case, theirs: Answer, ours: Answer, occurred: Set<string>): boolean {
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

function equal(one: Answer, other: Answer): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Without what differs by chance: the nonce, and the tokens of a renewed session. */
function masked(answer: Answer, request: Rendered): Answer {
  const nonce = /__clerk_handshake_nonce=([^&; ]+)/.exec(`${request.path} ${request.headers.join(' ')}`)?.[1];
  const mask = (text: string) => (nonce ? text.replaceAll(nonce, 'NONCE') : text);
  const token = (text: string) => text.replace(/=[^.;=]+\.([^.;]+)\.[^.;]*;/, (_, claims: string) => `=${subjectOf(claims)};`);
  const { status, reason, location, cookies, session, allowOrigin } = answer;
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

/** Clerk's library complains aloud. */
async function silently<T>(work: () => Promise<T>): Promise<T> {
  const { log, warn, error } = console;
  Object.assign(console, { log: () => {}, warn: () => {}, error: () => {} });
  try {
    return await work();
  } finally {
    Object.assign(console, { log, warn, error });
  }
}
