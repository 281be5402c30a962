// The session ends while the page stands open: it is renewed, the call is repeated once, and nothing that was typed
// or ticked is lost.

import type { Page } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import { ledger } from '../support/database.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import * as sessions from '../support/sessions.ts';
import { settings } from '../support/settings.ts';
import { expect, hydrated, test } from '../support/test.ts';

test.beforeEach(({ complaints }) => complaints.tolerate(/status of 401 .*\/api\/_\//));

/** Counts what the page asks from now on. */
function asked(page: Page, name: string): () => number {
  let count = 0;
  page.on('request', (request) => {
    if (new URL(request.url()).pathname === `/api/_/${name}`) count += 1;
  });
  return () => count;
}

test('the dialog goes on as if nothing had been', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  const requests = asked(page, 'request_deletion');
  await sessions.expire(page.context());
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await pages.receipt(page);
  expect(requests(), 'refused once, repeated once').toBe(2);
  expect(await clerk.user(person.id)).toBeUndefined();
});

test('opening the dialog and saving preferences renew the session too, and the page stays', async ({ page }) => {
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await hydrated(page);
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  await pages.tick(page, 'analytics', true);
  await sessions.expire(page.context());
  const dialog = await pages.openDialog(page);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(pages.purpose(page, 'analytics'), 'what is ticked stays ticked').toBeChecked();
  await sessions.expire(page.context());
  await pages.save(page);
  await expect(pages.saving(page)).toHaveText('Saved');
  expect(await page.evaluate(() => 'stayed' in window), 'the page was never left').toBe(true);
  expect(await page.locator('iframe').count(), 'nothing is left of the way').toBe(0);
  expect((await ledger(person.id))[0]).toBeDefined();
  await page.reload();
  await pages.expectPreferences(page, false, true, false);
});

test('a session that is really over is told, and what was typed stays for after the sign-in', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  const requests = asked(page, 'request_deletion');
  await sessions.end(page.context());
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Your session has ended.');
  expect(requests(), 'refused once, repeated once, and not again').toBe(2);
  await expect(dialog.getByRole('textbox')).toHaveValue(pages.CONFIRMATION);
  const [tab] = await Promise.all([
    page.context().waitForEvent('page'),
    dialog.getByRole('link', { name: 'Sign in again, in a new tab' }).click(),
  ]);
  await tab.getByRole('link', { name: 'Sign in', exact: true }).click();
  await pages.choose(tab, person);
  await expect(tab).toHaveURL(`${settings.url}/`);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await pages.receipt(page);
});

test('a choice that found no session is saved after the sign-in', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.tick(page, 'thirdParty', true);
  await sessions.end(page.context());
  await pages.save(page);
  await expect(pages.saving(page)).toContainText('Your session has ended. Sign in again');
  await expect(pages.purpose(page, 'thirdParty')).toBeChecked();
  await pages.saving(page).getByRole('link', { name: 'Sign in again' }).click();
  await page.getByRole('link', { name: 'Sign in', exact: true }).click();
  await pages.choose(page, person);
  await expect(pages.saving(page)).toHaveText('Saved');
  await pages.expectPreferences(page, false, false, true);
});

test('a page of somebody who has left acts for nobody else', async ({ page, complaints }) => {
  complaints.tolerate(/status of 409/);
  const [first, second] = [await newcomer('blog'), await newcomer('blog')];
  await pages.signIn(page, first);
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  const tab = await page.context().newPage();
  await tab.goto('/');
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await pages.signIn(tab, second);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Somebody else is signed in now');
  for (const person of [first, second]) expect(await clerk.user(person.id)).toBeDefined();
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('the preferences come back filled', async ({ page }) => {
    const person = await newcomer('blog');
    await pages.signIn(page, person);
    await pages.tick(page, 'marketing', true);
    await pages.tick(page, 'thirdParty', true);
    await sessions.expire(page.context());
    await pages.save(page);
    await expect(page).toHaveURL(`${settings.url}/?unsaved=not_signed_in#preferences`);
    await expect(pages.saving(page)).toContainText('Your choice is filled in again.');
    await pages.expectPreferences(page, true, false, true);
    expect(await ledger(person.id)).toEqual([]);
    await pages.save(page);
    await expect(pages.saving(page)).toHaveText('Saved');
    await page.goto('/');
    await pages.expectPreferences(page, true, false, true);
  });

  test('the confirmation comes back as it was typed', async ({ page }) => {
    const person = await newcomer('lab');
    await pages.signIn(page, person);
    await page.goto('/delete');
    await page.getByRole('textbox').fill('Delete my account');
    await sessions.expire(page.context());
    await page.getByRole('button', { name: 'Delete account' }).click();
    await expect(page).toHaveURL(`${settings.url}/delete?refused=not_signed_in`);
    await expect(page.getByText('Your session had ended in between')).toBeVisible();
    await expect(page.getByRole('textbox')).toHaveValue('Delete my account');
    expect(await clerk.user(person.id)).toBeDefined();
    await page.getByRole('button', { name: 'Delete account' }).click();
    await pages.receipt(page);
  });

  test('so it does after a sign-in, for the same person alone', async ({ page, complaints }) => {
    complaints.tolerate(/status of 401 .*\(\/delete\)/);
    const [first, second] = [await newcomer('lab'), await newcomer('blog')];
    for (const comes of [second, first]) {
      await page.context().clearCookies();
      await pages.signIn(page, first);
      await page.goto('/delete');
      await page.getByRole('textbox').fill('delete my');
      await sessions.end(page.context());
      await page.getByRole('button', { name: 'Delete account' }).click();
      await page.getByRole('link', { name: 'Sign in', exact: true }).click();
      await pages.choose(page, comes);
      await expect(page.getByRole('textbox')).toHaveValue(comes === first ? 'delete my' : '');
      await expect(page.getByText('Somebody else is signed in now.')).toHaveCount(comes === first ? 0 : 1);
    }
  });
});
