// Clerk's backend SDK, `@clerk/backend`, against the stand-in.

import { createClerkClient, verifyToken } from '@clerk/backend';
import type { APIResponse } from '@playwright/test';
import * as control from '../support/clerk.ts';
import { settings } from '../support/settings.ts';
import { expect, test } from '../support/test.ts';

const clerk = createClerkClient({
  secretKey: settings.clerkSecretKey,
  publishableKey: settings.clerkPublishableKey,
  apiUrl: settings.clerkUrl,
  telemetry: { disabled: true },
});

const unique = () => `library.${Date.now()}.${Math.floor(Math.random() * 1e6)}@example.org`;

function refused(status: number, code: string) {
  return { clerkError: true, status, errors: [expect.objectContaining({ code })] };
}

test.afterEach(async () => {
  expect(await control.violations(), 'responses match the OpenAPI descriptions').toEqual([]);
});

test('backend SDK creates users, verifies tokens and merges metadata', async () => {
  const user = await clerk.users.createUser({
    emailAddress: [unique()],
    firstName: 'Library',
    publicMetadata: { kept: { deep: true } },
  });
  expect((await clerk.users.getUser(user.id)).firstName).toBe('Library');

  const session = await clerk.sessions.createSession({ userId: user.id });
  const { jwt } = await clerk.sessions.getToken(session.id);
  const claims = await verifyToken(jwt, { secretKey: settings.clerkSecretKey, apiUrl: settings.clerkUrl });
  expect(claims).toMatchObject({ sub: user.id, sid: session.id });

  const request = (token: string) => new Request(settings.url, { headers: { authorization: `Bearer ${token}` } });
  const state = await clerk.authenticateRequest(request(jwt), { authorizedParties: [settings.url] });
  expect(state.isAuthenticated).toBe(true);
  expect(state.toAuth()).toMatchObject({ userId: user.id, sessionId: session.id });
  const forged = await clerk.authenticateRequest(request(`${jwt.slice(0, -8)}AAAAAAAA`), { authorizedParties: [settings.url] });
  expect(forged.isAuthenticated).toBe(false);

  const updated = await clerk.users.updateUserMetadata(user.id, { publicMetadata: { consent: { marketing: true } } });
  expect(updated.publicMetadata, 'metadata is merged').toEqual({ kept: { deep: true }, consent: { marketing: true } });

  expect(await clerk.users.deleteUser(user.id)).toMatchObject({ id: user.id, deleted: true });
  await expect(clerk.users.getUser(user.id)).rejects.toMatchObject(refused(404, 'resource_not_found'));
  await expect(clerk.users.deleteUser(user.id)).rejects.toMatchObject(refused(404, 'resource_not_found'));
});

test('backend SDK lists, counts and changes users', async () => {
  const email = unique();
  const { id } = await clerk.users.createUser({ emailAddress: [email], firstName: 'Many' });
  expect(await clerk.users.getCount({ emailAddress: [email] })).toBe(1);
  const { data, totalCount } = await clerk.users.getUserList({ userId: [id, 'user_unknown'], limit: 100 });
  expect(totalCount).toBe(1);
  expect(data.map((user) => user.id)).toEqual([id]);
  expect(await clerk.users.updateUser(id, { lastName: 'Changes' })).toMatchObject({ lastName: 'Changes' });
  await expect(clerk.users.createUser({ emailAddress: [email] })).rejects.toMatchObject(refused(422, 'form_identifier_exists'));
  await expect(clerk.users.createUser({ shoeSize: 41 } as object)).rejects.toMatchObject(refused(422, 'form_param_unknown'));
  await clerk.users.deleteUser(id);
});

test('backend SDK lists, revokes and refreshes sessions, and resolves handshakes', async ({ request }) => {
  const { id } = await clerk.users.createUser({ emailAddress: [unique()] });
  const session = await clerk.sessions.createSession({ userId: id });
  expect(await clerk.sessions.getSession(session.id)).toMatchObject({ userId: id, status: 'active' });
  const { data, totalCount } = await clerk.sessions.getSessionList({ userId: id });
  expect([totalCount, data[0]!.id]).toEqual([1, session.id]);
  expect(await clerk.sessions.revokeSession(session.id)).toMatchObject({ status: 'revoked' });

  // A handshake carries what a browser has after signing in to the application's server.
  const signedIn = await request.post(`${settings.clerkUrl}/sign-in`, {
    form: { user_id: id, redirect_url: settings.url },
    maxRedirects: 0,
  });
  const browser = parameter(signedIn, '__clerk_db_jwt');
  const handshake = await request.get(`${settings.clerkUrl}/v1/client/handshake`, {
    params: { redirect_url: settings.url, format: 'nonce', suffixed_cookies: 'true', __clerk_db_jwt: browser },
    maxRedirects: 0,
  });
  const nonce = parameter(handshake, '__clerk_handshake_nonce');
  const { directives } = await clerk.clients.getHandshakePayload({ nonce });
  await expect(clerk.clients.getHandshakePayload({ nonce })).rejects.toMatchObject(refused(404, 'resource_not_found'));
  const cookie = (name: RegExp) => directives.map((directive) => name.exec(directive)?.[1]).find(Boolean)!;
  const token = cookie(/^__session=([^;]+)/);
  const { sid } = await verifyToken(token, { secretKey: settings.clerkSecretKey, apiUrl: settings.clerkUrl });
  const renewal = { expired_token: token, request_origin: settings.url, format: 'cookie' } as const;
  const refresh_token = cookie(/^__refresh_[\w-]+=([^;]+)/);
  const renewed = await clerk.sessions.refreshSession(sid, { ...renewal, refresh_token });
  expect(renewed).toMatchObject({ cookies: expect.arrayContaining([expect.stringMatching(/^__session=e/)]) });
  const wrong = clerk.sessions.refreshSession(sid, { ...renewal, refresh_token: 'rt_wrong' });
  await expect(wrong).rejects.toMatchObject(refused(401, 'refresh_token_invalid'));
  await clerk.users.deleteUser(id);
});

/** A query parameter of the URL that a response redirects to. */
function parameter(answer: APIResponse, name: string): string {
  return new URL(answer.headers()['location']!).searchParams.get(name)!;
}

test('backend SDK recognizes conflicts and rate limits', async () => {
  const { id } = await clerk.users.createUser({ emailAddress: [unique()] });
  try {
    await control.addFault({ path: id, times: 1, status: 409, code: 'user_managed_by_scim' });
    await expect(clerk.users.deleteUser(id)).rejects.toMatchObject(refused(409, 'user_managed_by_scim'));
    await control.addFault({ path: id, times: 1, status: 429, retry_after: 7 });
    await expect(clerk.users.getUser(id)).rejects.toMatchObject({ ...refused(429, 'too_many_requests'), retryAfter: 7 });
  } finally {
    await control.endFaults();
  }
  await clerk.users.deleteUser(id);
});
