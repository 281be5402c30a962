// Sessions in states that take time in life: over while the page stood open, or begun long ago.

import { createHash } from 'node:crypto';
import type { BrowserContext } from '@playwright/test';
import * as clerk from './clerk.ts';
import type { Person } from './people.ts';
import { settings } from './settings.ts';

const SUFFIX = createHash('sha1').update(settings.clerkPublishableKey).digest('base64url').slice(0, 8);
const MINUTE = 60_000;

/** The token ran out a while ago, and no cookie lets the server renew it. Answers the session's id. */
export async function expire(context: BrowserContext): Promise<string> {
  const cookies = await context.cookies(settings.url);
  const { sid } = claims(cookies.find((cookie) => cookie.name === '__session')!.value);
  const token = await clerk.at(-5 * MINUTE, () => clerk.tokenOf(sid));
  await context.clearCookies({ name: `__refresh_${SUFFIX}` });
  // A token takes a minute to run out, and the counter of handshakes two seconds to forget.
  await context.clearCookies({ name: '__clerk_redirect_count' });
  await use(context, token, claims(token).iat - 60);
  return sid;
}

/** The same, and the session is over at Clerk as well: nothing renews it. */
export async function end(context: BrowserContext): Promise<void> {
  await clerk.revoke(await expire(context));
}

/** Signs somebody in who confirmed who they are twenty minutes ago. */
export async function signInLongAgo(context: BrowserContext, person: Person): Promise<void> {
  const session = await clerk.at(-20 * MINUTE, () => clerk.createSession(person.id));
  const token = await clerk.tokenOf(session);
  await context.addCookies([cookie('__clerk_db_jwt', 'dvb_of_a_test'), cookie(`__clerk_db_jwt_${SUFFIX}`, 'dvb_of_a_test')]);
  await use(context, token, claims(token).iat - 60);
}

async function use(context: BrowserContext, token: string, signedInAt: number): Promise<void> {
  const values = { __session: token, __client_uat: String(signedInAt) };
  const named = Object.entries(values).flatMap(([name, value]) => [cookie(name, value), cookie(`${name}_${SUFFIX}`, value)]);
  await context.addCookies(named);
}

function cookie(name: string, value: string) {
  return { name, value, url: settings.url, sameSite: 'Lax' as const };
}

function claims(token: string): { sid: string; iat: number } {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { sid: string; iat: number };
}
