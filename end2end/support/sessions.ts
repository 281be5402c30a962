// Sessions in states that would take time to reach: expired while a page was open, or begun long ago.

import { createHash } from 'node:crypto';
import type { BrowserContext } from '@playwright/test';
import * as clerk from './clerk.ts';
import type { Person } from './people.ts';
import { settings } from './settings.ts';

const SUFFIX = createHash('sha1').update(settings.clerkPublishableKey).digest('base64url').slice(0, 8);
const MINUTE = 60_000;

/** Replaces the session token with an expired one and removes the refresh cookie. Returns the session's id. */
export async function expire(context: BrowserContext): Promise<string> {
  const cookies = await context.cookies(settings.url);
  const { sid } = claims(cookies.find((cookie) => cookie.name === '__session')!.value);
  const token = await clerk.at(-5 * MINUTE, () => clerk.tokenOf(sid));
  await context.clearCookies({ name: `__refresh_${SUFFIX}` });
  // A real token takes a minute to expire, by which time the redirect counter, which lives two seconds, is gone.
  await context.clearCookies({ name: '__clerk_redirect_count' });
  await use(context, token, claims(token).iat - 60);
  return sid;
}

/** Like `expire`, but also revokes the session at Clerk, so that nothing can renew it. */
export async function end(context: BrowserContext): Promise<void> {
  await clerk.revoke(await expire(context));
}

/** Signs a person in whose identity was last verified twenty minutes ago. */
export async function signInLongAgo(context: BrowserContext, person: Person): Promise<void> {
  const session = await clerk.at(-20 * MINUTE, () => clerk.createSession(person.id));
  const token = await clerk.tokenOf(session);
  await context.addCookies([cookie('__clerk_db_jwt', 'dvb_of_a_test'), cookie(`__clerk_db_jwt_${SUFFIX}`, 'dvb_of_a_test')]);
  await use(context, token, claims(token).iat - 60);
}

/** Signs a person in as somebody else acts for them (the claim `act`). */
export async function signInOnBehalf(context: BrowserContext, person: Person): Promise<void> {
  const own = claims(await clerk.tokenOf(await clerk.createSession(person.id)));
  const [token = ''] = await clerk.signTokens([{ claims: { ...own, act: { sub: 'user_support' } } }]);
  await context.addCookies([cookie('__clerk_db_jwt', 'dvb_of_a_test'), cookie(`__clerk_db_jwt_${SUFFIX}`, 'dvb_of_a_test')]);
  await use(context, token, own.iat - 60);
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
