// Every page in every state that a user can see, and how to get there.

import type { BrowserContextOptions, Page } from '@playwright/test';
import * as clerk from './clerk.ts';
import { query } from './database.ts';
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

/** The deletion stays in progress until the test removes all faults. */
async function deletionUnderWay(page: Page): Promise<Person> {
  const person = await lab(page, '/delete');
  await clerk.addFault({ operation: 'DELETE /v1/users/{user_id}', path: person.id, status: 503 });
  await page.getByRole('textbox').fill(pages.CONFIRMATION);
  await page.getByRole('button', { name: 'Delete account' }).click();
  await pages.eventually(page, page.getByText('Deleted your data'));
  return person;
}

/** Pages as they are where no script runs. */
export const statesWithoutScript: Record<string, (page: Page) => Promise<unknown>> = {
  landing: (page) => page.goto('/'),
  center: async (page) => pages.signIn(page, await newcomer('blog', 'Ada', 'Lovelace')),
  'what we hold': (page) => lab(page, '/data'),
  activity: (page) => lab(page, '/activity'),
  'delete page': (page) => lab(page, '/delete'),
  'receipt, in progress': deletionUnderWay,
  'receipt, lab': async (page) => {
    await lab(page);
    await pages.deleteAccount(page);
  },
};

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
    await pages.decide(page, 'analytics', true);
    await pages.download(page);
    await expect(page.locator('#copy').getByRole('status')).toContainText('Downloaded');
    await page.reload();
    await hydrated(page);
    await pages.decide(page, 'analytics', false);
    await page.reload();
    await hydrated(page);
    await pages.decide(page, 'analytics', true);
    return page;
  },

  async 'center, not saved yet'(page) {
    await center(page);
    await pages.decideOffline(page, 'marketing', true);
    return page;
  },

  async 'center, changed elsewhere'(page, another) {
    const person = await center(page);
    await pages.decideOffline(page, 'marketing', true);
    const later = await pages.decideElsewhere(page, await another(), person);
    await later.goto('/');
    await expect(later.getByRole('group', { name: 'Your earlier choice' })).toBeVisible();
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

  async 'dialog, offline'(page) {
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

  async 'delete page, wrong confirmation text'(page) {
    await lab(page, '/delete');
    await page.getByRole('textbox').fill('no');
    await page.getByRole('button', { name: 'Delete account' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    await expect(page.getByRole('textbox')).toBeFocused();
    return page;
  },

  async 'dialog, confirm first'(page) {
    await longAgo(page, '/');
    await hydrated(page);
    const dialog = await pages.openDialog(page);
    await expect(dialog.getByRole('button', { name: pages.CONFIRM })).toBeVisible();
    return page;
  },

  async 'dialog, session ended'(page) {
    await lab(page);
    await hydrated(page);
    const dialog = await pages.openDialog(page);
    await sessions.end(page.context());
    await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
    await dialog.getByRole('button', { name: 'Delete account' }).click();
    await expect(dialog.getByRole('alert')).toContainText('You’ve been signed out');
    return page;
  },

  async 'center, session ended'(page) {
    await center(page);
    await pages.tick(page, 'analytics', true);
    await sessions.end(page.context());
    await pages.save(page);
    await expect(pages.saving(page)).toContainText('You’ve been signed out');
    return page;
  },

  async 'center, form filled in again'(page) {
    await center(page);
    await pages.tick(page, 'analytics', true);
    await sessions.expire(page.context());
    // As without JavaScript: the browser itself submits the form.
    await page.evaluate(() => document.querySelector<HTMLFormElement>('form[action$="save_preferences"]')!.submit());
    await expect(pages.saving(page)).toContainText('filled in your choices');
    await hydrated(page);
    return page;
  },

  async 'center, download needs confirmation'(page) {
    await longAgo(page, '/');
    await expect(page.locator('#copy').getByRole('button', { name: pages.CONFIRM })).toBeVisible();
    return page;
  },

  async 'center, download ready to start'(page) {
    const person = await longAgo(page, '/');
    await page.locator('#copy').getByRole('button', { name: pages.CONFIRM }).click();
    await pages.choose(page, person);
    await expect(page.getByText('Press Download my data to start.')).toBeVisible();
    return page;
  },

  async 'center, other user signed in'(page) {
    await longAgo(page, '/');
    await page.locator('#copy').getByRole('button', { name: pages.CONFIRM }).click();
    await pages.choose(page, await newcomer('lab', 'Grace', 'Hopper'));
    await expect(page.getByText('You’re now signed in as')).toBeVisible();
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
    await expect(page.getByText('Thanks, it’s you.')).toBeVisible();
    return page;
  },

  async 'delete page, not confirmed'(page) {
    const person = await longAgo(page, '/delete');
    await page.getByRole('button', { name: pages.CONFIRM }).click();
    await expect(page.getByRole('heading', { name: 'Who are you today?' })).toBeVisible();
    await sessions.signInLongAgo(page.context(), person);
    await page.goto('/delete');
    await expect(page.getByRole('alert')).toContainText('in a way we can’t check again');
    return page;
  },

  async 'receipt, in progress'(page) {
    await deletionUnderWay(page);
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

  async 'dialog, wrong words'(page) {
    await center(page);
    const dialog = await pages.openDialog(page);
    await dialog.getByRole('textbox').fill('delete');
    await dialog.getByRole('button', { name: 'Delete account' }).click();
    await expect(dialog.getByRole('textbox')).toHaveAttribute('aria-invalid', 'true');
    return page;
  },

  async 'dialog, deleting'(page) {
    await lab(page);
    await hydrated(page);
    const dialog = await pages.openDialog(page);
    // Held until the page is closed.
    await page.route('**/api/_/request_deletion', () => {});
    await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
    await dialog.getByRole('button', { name: 'Delete account' }).click();
    await expect(dialog.getByRole('status').first()).toHaveText('Deleting your account…');
    return page;
  },

  async 'dialog, not known'(page) {
    await lab(page);
    await hydrated(page);
    const dialog = await pages.openDialog(page);
    await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
    await page.context().setOffline(true);
    await dialog.getByRole('button', { name: 'Delete account' }).click();
    await expect(dialog.getByRole('link', { name: 'Your receipt, if it started' })).toBeVisible();
    return page;
  },

  async 'dialog, not known and signed out'(page) {
    await lab(page);
    await hydrated(page);
    const dialog = await pages.openDialog(page);
    await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
    await page.route('**/api/_/request_deletion', (route) => route.fulfill({ status: 503, json: { code: 'unavailable', incident: '' } }));
    await sessions.end(page.context());
    await dialog.getByRole('button', { name: 'Delete account' }).click();
    await expect(dialog.getByRole('link', { name: 'Sign in again' })).toBeVisible();
    return page;
  },

  async 'center, signed in on behalf'(page) {
    const person = await newcomer('blog', 'Ada', 'Lovelace');
    await sessions.signInOnBehalf(page.context(), person);
    await page.goto('/');
    await expect(page.getByText('You’re signed in on someone’s behalf.')).toBeVisible();
    return page;
  },

  async 'center, download failed'(page) {
    const person = await center(page);
    await clerk.addFault({ operation: 'GET /v1/users/{user_id}', path: person.id, status: 503 });
    await page.getByRole('link', { name: 'Download my data' }).click();
    await expect(page.locator('#copy')).toContainText(/Reference: [0-9A-Z]{13}/);
    await hydrated(page);
    return page;
  },

  async 'center, what we hold failed'(page) {
    await page.route('**/api/_/held_data*', (route) => route.fulfill({ status: 503, json: { code: 'unavailable', incident: '' } }));
    await center(page);
    await expect(page.locator('#data')).toContainText('We can’t show this right now.');
    return page;
  },

  async 'center, sign-in service down'(page) {
    const person = await center(page);
    await clerk.addFault({ operation: 'GET /v1/users/{user_id}', path: person.id, status: 503 });
    await expect(async () => {
      await page.request.get('/api/privacy/export');
      await page.goto('/');
      await expect(page.getByText('Our sign-in service is down.')).toBeVisible({ timeout: 500 });
    }).toPass();
    return page;
  },

  async 'receipt, taking longer'(page) {
    const person = await deletionUnderWay(page);
    await query('update lethe.deletion_request set attention_since = now() where clerk_id = $1', [person.id]);
    await page.reload();
    await expect(page.getByText('This is taking longer than it should.')).toBeVisible();
    await hydrated(page);
    return page;
  },

  async 'cookies blocked'(page) {
    // As a browser that refuses cookies comes back from the sign-in service.
    await page.goto('/?cookie-check=1');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Cookies are blocked');
    return page;
  },

  async 'what we hold'(page) {
    await lab(page, '/data');
    return page;
  },

  async activity(page) {
    await center(page);
    await pages.decide(page, 'marketing', true);
    await page.goto('/activity');
    await expect(page.getByRole('listitem').filter({ hasText: 'You turned on' })).toHaveCount(1);
    return page;
  },

  async 'find a receipt'(page) {
    await page.goto('/receipt?code=7Q2M');
    await expect(page.getByRole('alert')).toBeVisible();
    return page;
  },

  async 'signed out'(page) {
    await center(page);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page.getByRole('status')).toBeVisible();
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

  async 'cross-origin form refused'(page) {
    await page.goto(`${settings.clerkUrl}/sign-in?redirect_url=${encodeURIComponent(settings.url)}`);
    await page.evaluate((action) => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action });
      document.body.append(form);
      form.submit();
    }, `${settings.url}/sign-out`);
    await expect(page.getByRole('heading', { name: 'Request blocked' })).toBeVisible();
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
