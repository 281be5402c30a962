// The session expires while a page is open: it is renewed, the request is repeated once, and nothing that was typed or
// ticked is lost.

import type { Page } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import { ledger } from '../support/database.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import * as sessions from '../support/sessions.ts';
import { settings } from '../support/settings.ts';
import { expect, hydrated, test } from '../support/test.ts';

test.beforeEach(({ complaints }) => complaints.tolerate(/status of 401 .*\/api\/_\//));

/** Counts the page's calls of a server function from now on. */
function asked(page: Page, name: string): () => number {
  let count = 0;
  page.on('request', (request) => {
    if (new URL(request.url()).pathname === `/api/_/${name}`) count += 1;
  });
  return () => count;
}

test('deletion dialog continues after the session expired', async ({ page }) => {
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

test('opening the dialog and saving preferences renew the session without leaving the page', async ({ page }) => {
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
  expect(await page.locator('iframe').count(), 'the iframe of the renewal is removed').toBe(0);
  expect((await ledger(person.id))[0]).toBeDefined();
  await page.reload();
  await pages.expectPreferences(page, false, true, false);
});

test('revoked session is reported, and typed text survives the sign-in', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  const requests = asked(page, 'request_deletion');
  await sessions.end(page.context());
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await expect(dialog.getByRole('alert')).toContainText('You’ve been signed out.');
  expect(requests(), 'refused once, repeated once, and not again').toBe(2);
  await expect(dialog.getByRole('textbox')).toHaveValue(pages.CONFIRMATION);
  const [tab] = await Promise.all([
    page.context().waitForEvent('page'),
    dialog.getByRole('link', { name: 'Sign in again in a new tab' }).click(),
  ]);
  await tab.getByRole('link', { name: 'Sign in', exact: true }).click();
  await pages.choose(tab, person);
  await expect(tab).toHaveURL(`${settings.url}/`);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await pages.receipt(page);
});

test('choice made after the session ended is offered after the sign-in', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.tick(page, 'thirdParty', true);
  await sessions.end(page.context());
  await pages.save(page);
  await expect(pages.saving(page)).toContainText('You’ve been signed out. Sign in again to save your choice.');
  await expect(pages.purpose(page, 'thirdParty')).toBeChecked();
  await page.locator('#preferences').getByRole('link', { name: 'Sign in again' }).click();
  await page.getByRole('link', { name: 'Sign in', exact: true }).click();
  await pages.choose(page, person);
  // Consent isn't sent by itself, also not right after the sign-in.
  await page.getByRole('group', { name: 'Your earlier choice' }).getByRole('button', { name: 'Use my earlier choice' }).click();
  await expect(pages.saving(page)).toHaveText('Saved');
  await pages.expectPreferences(page, false, false, true);
});

test('page of a signed-out user does not act for the next user', async ({ page, complaints }) => {
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
  await expect(dialog.getByRole('alert')).toContainText('You’ve switched accounts');
  for (const person of [first, second]) expect(await clerk.user(person.id)).toBeDefined();
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('preferences are filled in again', async ({ page }) => {
    const person = await newcomer('blog');
    await pages.signIn(page, person);
    await pages.tick(page, 'marketing', true);
    await pages.tick(page, 'thirdParty', true);
    await sessions.expire(page.context());
    await pages.save(page);
    await expect(page).toHaveURL(`${settings.url}/#preferences`);
    await expect(pages.saving(page)).toContainText('We’ve filled in your choices');
    await pages.expectPreferences(page, true, false, true);
    expect(await ledger(person.id)).toEqual([]);
    await pages.save(page);
    await expect(pages.saving(page)).toHaveText('Saved');
    await page.goto('/');
    await pages.expectPreferences(page, true, false, true);
  });

  test('confirmation text is filled in again', async ({ page }) => {
    const person = await newcomer('lab');
    await pages.signIn(page, person);
    await page.goto('/delete');
    await page.getByRole('textbox').fill('Delete my account');
    await sessions.expire(page.context());
    await page.getByRole('button', { name: 'Delete account' }).click();
    await expect(page).toHaveURL(`${settings.url}/delete#deletion-refused`);
    await expect(page.getByText('You’d been signed out, so nothing was deleted')).toBeVisible();
    await expect(page.getByRole('textbox')).toHaveValue('Delete my account');
    expect(await clerk.user(person.id)).toBeDefined();
    await page.getByRole('button', { name: 'Delete account' }).click();
    await pages.receipt(page);
  });

  test('confirmation text is filled in again after a sign-in, only for the same person', async ({ page, complaints }) => {
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
      await expect(page.getByText('You’re now signed in as')).toHaveCount(comes === first ? 0 : 1);
    }
  });
});
