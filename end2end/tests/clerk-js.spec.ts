// Clerk's browser SDK, `@clerk/clerk-js`, against the stand-in's Frontend API, on a page of its own.

import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from '@playwright/test';
import * as control from '../support/clerk.ts';
import { settings } from '../support/settings.ts';
import { expect, test } from '../support/test.ts';

const SCRIPT = new URL('../node_modules/@clerk/clerk-js/dist/clerk.no-rhc.mjs', import.meta.url);
const CODE = '424242';

const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">
<script type="module">
  import { Clerk } from '/clerk.mjs';
  const clerk = new Clerk(${JSON.stringify(settings.clerkPublishableKey)}, { proxyUrl: ${JSON.stringify(settings.clerkUrl)} });
  await clerk.load({ telemetry: false, standardBrowser: true });
  window.clerk = clerk;
</script></html>`;

let server: Server;
let origin: string;

test.beforeAll(async () => {
  const script = await readFile(SCRIPT);
  server = createServer((request, response) => {
    const isScript = request.url === '/clerk.mjs';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(isScript ? script : PAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

test.afterAll(() => {
  server.close();
});

test.afterEach(async () => {
  expect(await control.violations(), 'responses match the OpenAPI descriptions').toEqual([]);
});

type Claims = { sub: string; sid: string; azp: string; iat: number; fva: [number, number] };

/** Opens the page and waits until the SDK is ready. */
async function open(page: Page): Promise<void> {
  await page.goto(origin);
  await page.waitForFunction(() => 'clerk' in window);
}

/** Requests a new token and returns its claims. */
async function claims(page: Page): Promise<Claims | null> {
  return page.evaluate(async () => {
    const token = await (window as any).clerk.session?.getToken({ skipCache: true });
    return token ? (JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))) as any) : null;
  });
}

async function someone(): Promise<{ id: string; email: string }> {
  const email = `script.${Date.now()}.${Math.floor(Math.random() * 1e6)}@example.org`;
  const { id } = await control.createUser('Script', 'Reader', email, []);
  return { id, email };
}

async function signIn(page: Page, id: string): Promise<void> {
  const ticket = await control.ticket(id);
  await page.evaluate(async (ticket) => {
    const { clerk } = window as any;
    const signIn = await clerk.client.signIn.create({ strategy: 'ticket', ticket });
    await clerk.setActive({ session: signIn.createdSessionId });
  }, ticket);
}

test('browser SDK signs in by code, gets tokens, stays signed in and signs out', async ({ page }) => {
  const { id, email } = await someone();
  await open(page);
  expect(await claims(page)).toBeNull();
  const status = await page.evaluate(
    async ([email, code]) => {
      const { clerk } = window as any;
      const signIn = await clerk.client.signIn.create({ identifier: email });
      const factor = signIn.supportedFirstFactors.find(({ strategy }: { strategy: string }) => strategy === 'email_code');
      await signIn.prepareFirstFactor({ strategy: 'email_code', emailAddressId: factor.emailAddressId });
      const wrong = await signIn.attemptFirstFactor({ strategy: 'email_code', code: '000000' }).catch((error: any) => error);
      if (wrong.errors?.[0]?.code !== 'form_code_incorrect') throw new Error('a wrong code was accepted');
      const done = await signIn.attemptFirstFactor({ strategy: 'email_code', code });
      await clerk.setActive({ session: done.createdSessionId });
      return done.status;
    },
    [email, CODE],
  );
  expect(status).toBe('complete');
  expect(await claims(page)).toMatchObject({ sub: id, azp: origin, fva: [0, -1] });
  await open(page);
  const session = await claims(page);
  expect(session, 'a reload keeps the session').toMatchObject({ sub: id });

  // The SDK leaves the page by itself when it is done.
  await page.evaluate(() => void (window as any).clerk.signOut({ redirectUrl: '/signed-out' }));
  await page.waitForURL('**/signed-out');
  await page.waitForFunction(() => 'clerk' in window);
  expect(await page.evaluate(() => (window as any).clerk.user)).toBeNull();
  expect(await control.user(id), 'the user still exists').toBeDefined();
});

test('browser SDK reverifies the user, which resets fva, and deletes the account', async ({ page }) => {
  const { id } = await someone();
  await open(page);
  await signIn(page, id);
  try {
    await control.setClockAhead(15 * 60_000);
    expect((await claims(page))!.fva).toEqual([15, -1]);
    const status = await page.evaluate(async (code) => {
      const { session } = (window as any).clerk;
      const begun = await session.startVerification({ level: 'first_factor' });
      const { emailAddressId } = begun.supportedFirstFactors[0];
      await session.prepareFirstFactorVerification({ strategy: 'email_code', emailAddressId });
      return (await session.attemptFirstFactorVerification({ strategy: 'email_code', code })).status;
    }, CODE);
    expect(status).toBe('complete');
    expect((await claims(page))!.fva).toEqual([0, -1]);
  } finally {
    await control.setClockAhead(0);
  }
  await page.evaluate(() => (window as any).clerk.user.delete());
  expect(await control.user(id)).toBeUndefined();
  await open(page);
  expect(await page.evaluate(() => (window as any).clerk.user)).toBeNull();
});
