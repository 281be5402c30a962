// Every page in every state that a person can meet, and the way there.

import type { BrowserContextOptions, Page } from '@playwright/test';
import * as clerk from './clerk.ts';
import * as pages from './pages.ts';
import * as sessions from './sessions.ts';
import { newcomer, type Person } from './people.ts';
import { settings } from './settings.ts';
import { expect, hydrated } from './test.ts';

type Another = (options?: BrowserContextOptions) => Promise<Page>;

async function center(page: Page): Promise<Person> {
  const person = await newcomer('blog', 'Ada', 'Lovelace');
  await pages.signIn(page, person);
  await hydrated(page);
  return person;
}

async function lab(page: Page, path = '/'): Promise<Person> {
  const person = await newcomer('lab', 'Grace', 'Hopper');
  await pages.signIn(page, person, path);
  return person;
}

async function longAgo(page: Page, path: string): Promise<Person> {
  const person = await newcomer('blog', 'Ada', 'Lovelace');
  await sessions.signInLongAgo(page.context(), person);
  await page.goto(path);
  return person;
}

export const states: Record<string, (page: Page, another: Another) => Promise<Page>> = {
  async landing(page) {
    await page.goto('/');
    return page;
  },

  async center(page) {
    await center(page);
    return page;
  },

  async 'center, later'(page) {
    await center(page);
    await pages.tick(page, 'marketing', true);
    await pages.tick(page, 'analytics', true);
    await pages.save(page);
    await expect(pages.saving(page)).toHaveText('Saved');
    await pages.download(page);
    await expect(page.locator('#copy').getByRole('status')).toContainText('Downloaded');
    await page.reload();
    await hydrated(page);
    await pages.tick(page, 'analytics', false);
    await pages.save(page);
    await expect(pages.saving(page)).toHaveText('Saved');
    await page.reload();
    await hydrated(page);
    await pages.tick(page, 'analytics', true);
    await pages.save(page);
    await expect(pages.saving(page)).toHaveText('Saved');
    return page;
  },

  async 'center, not saved yet'(page) {
    await center(page);
    await page.context().setOffline(true);
    await pages.tick(page, 'marketing', true);
    await pages.save(page);
    await expect(pages.saving(page)).toContainText('kept on this device');
    return page;
  },

  async 'center, changed elsewhere'(page, another) {
    const person = await center(page);
    await page.context().setOffline(true);
    await pages.tick(page, 'marketing', true);
    await pages.save(page);
    await expect(pages.saving(page)).toContainText('kept on this device');
    await page.close();
    const elsewhere = await another();
    await pages.signIn(elsewhere, person);
    await pages.tick(elsewhere, 'analytics', true);
    await pages.save(elsewhere);
    await expect(pages.saving(elsewhere)).toHaveText('Saved');
    await page.context().setOffline(false);
    const later = await page.context().newPage();
    await later.goto('/');
    await expect(later.getByRole('group', { name: 'A choice kept on this device' })).toBeVisible();
    return later;
  },

  async 'center, opt-out signal'(_, another) {
    const page = await another({ extraHTTPHeaders: { 'Sec-GPC': '1' } });
    await center(page);
    return page;
  },

  async 'dialog, blog'(page) {
    await center(page);
    await pages.openDialog(page);
    return page;
  },

  async 'dialog, lab, ready'(page) {
    await lab(page);
    await hydrated(page);
    const dialog = await pages.openDialog(page);
    await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
    return page;
  },

  async 'dialog, not reachable'(page) {
    await center(page);
    await page.context().setOffline(true);
    await page.getByRole('link', { name: 'Delete account…' }).click();
    await expect(page.getByRole('dialog').getByRole('alert')).toBeVisible();
    return page;
  },

  async 'delete page'(page) {
    await lab(page, '/delete');
    return page;
  },

  async 'delete page, wrong words'(page) {
    await lab(page, '/delete');
    await page.getByRole('textbox').fill('no');
    await page.getByRole('button', { name: 'Delete account' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    return page;
  },

  async 'dialog, confirm first'(page) {
    await longAgo(page, '/');
    await hydrated(page);
    const dialog = await pages.openDialog(page);
    await expect(dialog.getByRole('button', { name: pages.CONFIRM })).toBeVisible();
    return page;
  },

  async 'dialog, session over'(page) {
    await lab(page);
    await hydrated(page);
    const dialog = await pages.openDialog(page);
    await sessions.end(page.context());
    await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
    await dialog.getByRole('button', { name: 'Delete account' }).click();
    await expect(dialog.getByRole('alert')).toContainText('Your session has ended');
    return page;
  },

  async 'center, session over'(page) {
    await center(page);
    await pages.tick(page, 'analytics', true);
    await sessions.end(page.context());
    await pages.save(page);
    await expect(pages.saving(page)).toContainText('Your session has ended');
    return page;
  },

  async 'center, form filled in again'(page) {
    await center(page);
    await pages.tick(page, 'analytics', true);
    await sessions.expire(page.context());
    // As where no script runs: the browser itself sends the form.
    await page.evaluate(() => document.querySelector<HTMLFormElement>('form[action$="save_preferences"]')!.submit());
    await expect(pages.saving(page)).toContainText('filled in again');
    await hydrated(page);
    return page;
  },

  async 'center, download wants a confirmation'(page) {
    await longAgo(page, '/');
    await page.getByRole('link', { name: 'Download my data' }).click();
    await expect(page.getByRole('button', { name: pages.CONFIRM })).toBeVisible();
    return page;
  },

  async 'center, download may begin'(page) {
    const person = await longAgo(page, '/');
    await page.getByRole('link', { name: 'Download my data' }).click();
    await page.getByRole('button', { name: pages.CONFIRM }).click();
    await pages.choose(page, person);
    await expect(page.getByText('Your download is ready to start.')).toBeVisible();
    return page;
  },

  async 'center, somebody else'(page) {
    await longAgo(page, '/');
    await page.getByRole('link', { name: 'Download my data' }).click();
    await page.getByRole('button', { name: pages.CONFIRM }).click();
    await pages.choose(page, await newcomer('lab', 'Grace', 'Hopper'));
    await expect(page.getByText('Somebody else is signed in now.')).toBeVisible();
    return page;
  },

  async 'delete page, confirm first'(page) {
    await longAgo(page, '/delete');
    await expect(page.getByRole('button', { name: pages.CONFIRM })).toBeVisible();
    return page;
  },

  async 'delete page, confirmed'(page) {
    const person = await longAgo(page, '/delete');
    await page.getByRole('button', { name: pages.CONFIRM }).click();
    await pages.choose(page, person);
    await expect(page.getByText("You confirmed that it's you.")).toBeVisible();
    return page;
  },

  async 'delete page, not confirmed'(page) {
    const person = await longAgo(page, '/delete');
    await page.getByRole('button', { name: pages.CONFIRM }).click();
    await expect(page.getByRole('heading', { name: 'Who are you today?' })).toBeVisible();
    await sessions.signInLongAgo(page.context(), person);
    await page.goto('/delete');
    await expect(page.getByRole('alert')).toContainText('nothing confirmed');
    return page;
  },

  async 'receipt, under way'(page) {
    const person = await lab(page, '/delete');
    // Long enough for whoever looks; ended by the end of all faults.
    await clerk.addFault({ operation: 'DELETE /v1/users/{user_id}', path: person.id, status: 503 });
    await page.getByRole('textbox').fill(pages.CONFIRMATION);
    await page.getByRole('button', { name: 'Delete account' }).click();
    await expect(page.getByText('Your data erased')).toBeVisible();
    await hydrated(page);
    return page;
  },

  async 'receipt, blog'(page) {
    await center(page);
    await pages.deleteAccount(page);
    return page;
  },

  async 'receipt, lab'(page) {
    await lab(page);
    await pages.deleteAccount(page);
    return page;
  },

  async 'no such page'(page) {
    await page.goto('/no/such/page');
    return page;
  },

  async 'no such receipt'(page) {
    await page.goto('/receipt/0000-0000-0000-0000-0000');
    return page;
  },

  async 'refused by the guards'(page) {
    await page.goto(`${settings.clerkUrl}/sign-in?redirect_url=${encodeURIComponent(settings.url)}`);
    await page.evaluate((action) => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action });
      document.body.append(form);
      form.submit();
    }, `${settings.url}/sign-out`);
    await expect(page.getByRole('heading', { name: "This didn't work" })).toBeVisible();
    return page;
  },

  async 'sign-in page'(page) {
    await page.goto('/');
    await page.getByRole('link', { name: 'Sign in', exact: true }).click();
    await expect(page.getByRole('heading', { name: 'Who are you today?' })).toBeVisible();
    return page;
  },

  async 'sign-in error'(page) {
    const person = await newcomer('blog');
    await page.goto('/');
    await page.getByRole('link', { name: 'Sign in', exact: true }).click();
    await pages.search(page, person);
    await fetch(`${settings.clerkUrl}/v1/users/${person.id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${settings.clerkSecretKey}` },
    });
    await page.getByRole('button', { name: person.email }).click();
    await expect(page.getByRole('heading', { name: 'Couldn’t find your account' })).toBeVisible();
    return page;
  },
};
