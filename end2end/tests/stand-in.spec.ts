// Clerk's own server library against the stand-in: what it accepts here, it accepts there.

import { createClerkClient, verifyToken } from '@clerk/backend';
import { settings } from '../support/settings.ts';
import { expect, test } from '../support/test.ts';

const clerk = createClerkClient({
  secretKey: settings.clerkSecretKey,
  publishableKey: settings.clerkPublishableKey,
  apiUrl: settings.clerkUrl,
  telemetry: { disabled: true },
});

test("Clerk's library works with the stand-in", async () => {
  const user = await clerk.users.createUser({
    emailAddress: [`library.${Date.now()}@example.org`],
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
  const gone = { clerkError: true, status: 404, errors: [expect.objectContaining({ code: 'resource_not_found' })] };
  await expect(clerk.users.getUser(user.id)).rejects.toMatchObject(gone);
  await expect(clerk.users.deleteUser(user.id)).rejects.toMatchObject(gone);
});
