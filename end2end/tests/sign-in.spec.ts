// Signing in and out, and where it leads.

import * as clerk from '../support/clerk.ts';
import { rows, total } from '../support/database.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { settings } from '../support/settings.ts';
import { expect, test } from '../support/test.ts';

for (const script of [true, false]) {
  test.describe(`${script ? 'with' : 'without'} JavaScript`, () => {
    test.use({ javaScriptEnabled: script });

    test('sign-in leads back to the requested page', async ({ page, complaints }) => {
      complaints.tolerate(/status of 401 .*\(\/delete\)/);
      const person = await newcomer('blog');
      await pages.signIn(page, person, '/delete');
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Delete your account?');
      await page.getByRole('main').getByRole('link', { name: 'Back to the privacy center' }).click();
      await expect(page.getByRole('heading', { name: 'Privacy preferences' })).toBeVisible();
    });

    test('sign-out ends the session, here and at Clerk', async ({ page, request }) => {
      const person = await newcomer('lab');
      await pages.signIn(page, person);
      const session = (await page.context().cookies()).find((cookie) => cookie.name === '__session')!.value;
      await page.getByRole('button', { name: 'Sign out' }).click();
      await pages.expectSignedOut(page);
      await page.goto('/');
      await pages.expectSignedOut(page);
      const claims = JSON.parse(Buffer.from(session.split('.')[1]!, 'base64url').toString()) as { sid: string };
      const answer = await request.get(`${settings.clerkUrl}/v1/sessions/${claims.sid}`, {
        headers: { authorization: `Bearer ${settings.clerkSecretKey}` },
      });
      expect(((await answer.json()) as { status: string }).status).not.toBe('active');
    });

    test('next user of the same browser sees their own choices', async ({ page }) => {
      const [first, second] = [await newcomer('blog'), await newcomer('lab')];
      await pages.signIn(page, first);
      await pages.tick(page, 'analytics', true);
      await pages.save(page);
      await expect(pages.saving(page)).toHaveText('Saved');
      await page.getByRole('button', { name: 'Sign out' }).click();
      await pages.signIn(page, second);
      await expect(page.getByRole('banner')).toContainText(second.email);
      await pages.expectPreferences(page, false, false, false);
    });
  });
}

test('pages identify no one to anonymous visitors', async ({ page, complaints }) => {
  complaints.tolerate(/status of 404/);
  for (const path of ['/', '/receipt/0000-0000-0000-0000-0000', '/no/such/page']) {
    const response = await page.goto(path);
    expect(response!.status()).toBe(path === '/' ? 200 : 404);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(page.getByRole('button', { name: 'Sign out' })).toHaveCount(0);
  }
});

test('user deleted at Clerk is signed out and erased', async ({ page, request }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await expect(page.getByRole('heading', { name: 'Activity' })).toBeVisible();
  // The page's own requests are over, so that none is refused because of the deletion.
  await page.waitForLoadState('networkidle');
  const answer = await request.delete(`${settings.clerkUrl}/v1/users/${person.id}`, {
    headers: { authorization: `Bearer ${settings.clerkSecretKey}` },
  });
  expect(answer.ok()).toBe(true);
  expect(await clerk.user(person.id)).toBeUndefined();
  await expect.poll(async () => total(await rows(person.id)), { message: 'the webhook erases the data', timeout: 60_000 }).toBe(0);
  // The rows go before the deletion's last steps; until those are done, the page leads to its progress.
  await expect(async () => {
    await page.goto('/');
    await expect(page.getByRole('link', { name: 'Sign in', exact: true })).toBeVisible({ timeout: 1000 });
  }).toPass({ timeout: 30_000 });
  await pages.expectSignedOut(page);
});
