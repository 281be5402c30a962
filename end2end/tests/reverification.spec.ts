// Before a deletion and a download: confirming who one is, and coming back as oneself, as somebody else, or not at all.

import { reverificationError } from '@clerk/backend/internal';
import type { Page } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import * as pages from '../support/pages.ts';
import { newcomer, type Person } from '../support/people.ts';
import * as sessions from '../support/sessions.ts';
import { settings } from '../support/settings.ts';
import { expect, hydrated, test } from '../support/test.ts';

/** As far as the step: in the dialog, or on the page that needs no script. */
async function begin(page: Page, person: Person, script: boolean): Promise<void> {
  await sessions.signInLongAgo(page.context(), person);
  await page.goto(script ? '/' : '/delete');
  if (script) {
    await hydrated(page);
    const dialog = await pages.openDialog(page);
    await expect(dialog.getByRole('textbox'), 'nothing to type where it would be refused').toBeHidden();
    await expect(dialog.getByRole('button', { name: 'Delete account' })).toBeHidden();
  }
  const place = script ? page.getByRole('dialog') : page.getByRole('main');
  await place.getByRole('button', { name: pages.CONFIRM }).click();
}

for (const script of [true, false]) {
  test.describe(`${script ? 'with' : 'without'} JavaScript`, () => {
    test.use({ javaScriptEnabled: script });

    test('the same person comes back to where they were, and deletes', async ({ page }) => {
      const person = await newcomer('blog');
      await begin(page, person, script);
      await pages.choose(page, person);
      const place = script ? page.getByRole('dialog', { name: 'Delete your account?' }) : page.getByRole('main');
      await expect(place.getByRole('row', { name: /Sign-in account/ })).toBeVisible();
      if (!script) await expect(place.getByRole('status').first()).toContainText('Thanks, it’s you. Nothing has been deleted yet.');
      expect(await clerk.user(person.id)).toBeDefined();
      await place.getByRole('textbox').fill(pages.CONFIRMATION);
      await place.getByRole('button', { name: 'Delete account' }).click();
      await pages.receipt(page);
      expect(await clerk.user(person.id)).toBeUndefined();
    });

    test('somebody else gets nothing of it', async ({ page }) => {
      const [person, other] = [await newcomer('blog'), await newcomer('lab')];
      await begin(page, person, script);
      await pages.choose(page, other);
      await expect(page.getByText('You’re now signed in as')).toBeVisible();
      await expect(page.getByRole('dialog')).toHaveCount(0);
      await page.reload();
      await expect(page.getByText('You’re now signed in as')).toHaveCount(0);
      for (const { id } of [person, other]) expect(await clerk.user(id)).toBeDefined();
    });

    test('whoever leaves it there is signed out, and it is forgotten by itself', async ({ page }) => {
      const person = await newcomer('lab');
      await begin(page, person, script);
      await expect(page.getByRole('heading', { name: 'Who are you today?' })).toBeVisible();
      await page.goto('/');
      await pages.expectSignedOut(page);
      await expect(page.getByRole('status')).toHaveText('You’ve been signed out. Nothing was deleted.');
      await page.reload();
      await expect(page.getByRole('status'), 'a message is shown once').toHaveCount(0);
      const errand = (await page.context().cookies(settings.url)).find((cookie) => cookie.name === 'lethe-errand')!;
      expect(errand).toMatchObject({ httpOnly: true, sameSite: 'Lax' });
      expect(errand.expires - Date.now() / 1000).toBeLessThanOrEqual(15 * 60);
      for (const trace of [person.id, person.email, person.name]) expect(errand.value).not.toContain(trace);
      expect(await clerk.user(person.id)).toBeDefined();
    });

    test('whoever leaves a download there reads that they were signed out', async ({ page }) => {
      await sessions.signInLongAgo(page.context(), await newcomer('blog'));
      await page.goto('/');
      await page.locator('#copy').getByRole('button', { name: pages.CONFIRM }).click();
      await expect(page.getByRole('heading', { name: 'Who are you today?' })).toBeVisible();
      await page.goto('/');
      await expect(page.getByRole('status')).toHaveText('Not downloaded. You’ve been signed out.');
    });

    test('who still confirms nothing is told so, and not sent round again', async ({ page }) => {
      const person = await newcomer('blog');
      await begin(page, person, script);
      await expect(page.getByRole('heading', { name: 'Who are you today?' })).toBeVisible();
      await sessions.signInLongAgo(page.context(), person);
      for (const visit of ['first', 'second']) {
        await page.goto('/delete');
        await expect(page.getByRole('alert'), visit).toContainText('in a way we can’t check again');
        await expect(page.getByRole('button', { name: pages.CONFIRM })).toHaveCount(0);
        await expect(page.getByRole('textbox')).toHaveCount(0);
      }
    });

    test('a download waits for it at its card', async ({ page }) => {
      const person = await newcomer('blog');
      await sessions.signInLongAgo(page.context(), person);
      await page.goto('/');
      await page.locator('#copy').getByRole('button', { name: pages.CONFIRM }).click();
      await pages.choose(page, person);
      await expect(page).toHaveURL(`${settings.url}/#copy`);
      await expect(page.getByText('Press Download my data to start.')).toBeVisible();
      const { archive } = await pages.download(page);
      expect(archive.clerkProfile['id']).toBe(person.id);
    });
  });
}

test("programs get the answer that Clerk's own library makes", async () => {
  const person = await newcomer('blog');
  const session = await clerk.at(-20 * 60_000, () => clerk.createSession(person.id));
  const headers = { authorization: `Bearer ${await clerk.tokenOf(session)}` };
  for (const [method, path] of [
    ['GET', '/api/privacy/export'],
    ['GET', '/api/compliance/gdpr-export'],
    ['DELETE', '/api/privacy/delete'],
  ] as const) {
    const answer = await fetch(`${settings.url}${path}`, { method, headers });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ ...reverificationError('strict'), code: 'reverification_needed' });
  }
  expect(await clerk.user(person.id)).toBeDefined();
});
