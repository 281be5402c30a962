// The dialog, the progress, and what may come in between.

import type { APIResponse, Page } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import { query, rows, total } from '../support/database.ts';
import * as pages from '../support/pages.ts';
import { newcomer, type Person } from '../support/people.ts';
import * as sessions from '../support/sessions.ts';
import { expect, hydrated, test } from '../support/test.ts';

const DELETE_USER = 'DELETE /v1/users/{user_id}';

test.afterEach(() => clerk.endFaults());

test('the dialog keeps the focus, Escape closes it, and the button waits for the words', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const before = await rows(person.id);
  const opener = page.getByRole('link', { name: 'Delete account…' });
  const dialog = await pages.openDialog(page);
  const where = () =>
    page.evaluate(() => {
      const focused = document.activeElement;
      // After the last control the focus goes to the browser's own, and no element has it.
      return focused?.closest('dialog[open]') ? 'inside' : focused === document.body ? 'browser' : 'outside';
    });

  expect(await page.evaluate(() => document.querySelector('dialog')!.matches(':modal')), 'a modal dialog').toBe(true);
  expect(await where()).toBe('inside');
  const button = dialog.getByRole('button', { name: 'Delete account' });
  await dialog.getByRole('textbox').fill('delete');
  await button.click();
  await expect(dialog.getByRole('textbox')).toBeFocused();
  await expect(dialog.getByRole('textbox')).toHaveAttribute('aria-invalid', 'true');
  await expect(dialog.getByText('Type “delete my account” exactly as shown.')).toBeVisible();
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await expect(dialog.getByText('This can’t be undone.')).toBeVisible();
  for (const key of ['Tab', 'Shift+Tab']) {
    for (let press = 0; press < 8; press += 1) {
      await page.keyboard.press(key);
      expect(await where()).not.toBe('outside');
    }
  }
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(opener).toBeFocused();

  await pages.openDialog(page);
  await expect(dialog.getByRole('textbox'), 'what was typed is forgotten').toHaveValue('');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(dialog).toBeHidden();
  await expect(opener).toBeFocused();
  expect(await rows(person.id)).toEqual(before);
});

test('a reload before the confirmation deletes nothing', async ({ page }) => {
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await hydrated(page);
  const before = await rows(person.id);
  const dialog = await pages.openDialog(page);
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await page.reload();
  await expect(page.getByRole('dialog')).toBeHidden();
  expect(await rows(person.id)).toEqual(before);
  expect(await clerk.user(person.id)).toBeDefined();
});

for (const script of [true, false]) {
  test(`a reload in the middle loses nothing, ${script ? 'with' : 'without'} JavaScript`, async ({ another }) => {
    const page = await another({ javaScriptEnabled: script });
    const person = await newcomer('lab');
    await pages.signIn(page, person);
    await clerk.addFault({ operation: DELETE_USER, path: person.id, times: 1, latency: 6000 });
    await page.goto('/delete');
    await page.getByRole('textbox').fill(pages.CONFIRMATION);
    await page.getByRole('button', { name: 'Delete account' }).click();
    await expect(page.getByRole('heading', { name: 'Your account is being deleted' })).toBeVisible();
    await pages.eventually(page, page.getByText('Deleted your data'));
    await page.reload();
    await expect(page.getByText('Deleted your data')).toBeVisible();
    await expect(page.getByText('Delete your sign-in account')).toBeVisible();
    await pages.expectNamesNobody(page, person);

    // The person is gone from the first step on, wherever they look.
    const elsewhere = await page.context().newPage();
    await elsewhere.goto('/');
    await expect(elsewhere.getByRole('link', { name: 'See the progress' })).toBeVisible();
    await expect(elsewhere.getByRole('button', { name: 'Save preferences' })).toHaveCount(0);

    await pages.receipt(page);
    expect(await clerk.user(person.id)).toBeUndefined();
  });
}

test('Clerk is down in the middle: the page tells, and the deletion goes on by itself', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await clerk.addFault({ operation: DELETE_USER, path: person.id, times: 2, status: 503 });
  const dialog = await pages.openDialog(page);
  await dialog.getByRole('textbox').fill('Delete my account ');
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await expect(page.getByRole('heading', { name: 'Your account is being deleted' })).toBeVisible();
  await expect(page.getByRole('status')).toContainText('You can close this page');
  await pages.receipt(page);
  expect(total(await rows(person.id))).toBe(0);
  expect(await clerk.user(person.id)).toBeUndefined();
});

test('what changed since it was counted is shown again', async ({ page, complaints }) => {
  complaints.tolerate(/status of 409/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  // A plan that nobody was shown.
  await page.route(
    '**/api/_/request_deletion',
    (route) => route.continue({ postData: route.request().postData()!.replace(/plan=[^&]*/, 'plan=0000') }),
    { times: 1 },
  );
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await expect(dialog.getByRole('alert')).toContainText('What would happen has changed since you opened this page. Check the list, then confirm again.');
  await expect(dialog.getByRole('row', { name: /Sign-in account/ })).toBeVisible();
  expect(await clerk.user(person.id)).toBeDefined();
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await pages.receipt(page);
});

test('confirmed deletion offers nothing that pretends to stop it', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  await page.route('**/api/_/request_deletion', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await route.continue();
  });
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await expect(dialog.getByRole('status').first()).toHaveText('Deleting your account…');
  await expect(dialog.getByRole('button', { name: 'Cancel' })).toBeHidden();
  await expect(dialog).toHaveAttribute('closedby', 'none');
  for (let press = 0; press < 4; press += 1) {
    await page.keyboard.press('Escape');
    await expect(dialog).toBeVisible();
  }
  await page.evaluate(() => document.querySelector('dialog')!.close());
  await expect(dialog, 'whatever closes it').toBeVisible();
  await pages.receipt(page);
  expect(await clerk.user(person.id)).toBeUndefined();
});

test('page whose deletion was confirmed offers nothing that pretends to stop it', async ({ page, complaints }) => {
  complaints.tolerate(/status of 401/);
  const person = await newcomer('blog');
  await pages.signIn(page, person, '/delete');
  const main = page.getByRole('main');
  await expect(main.getByText('Cancel'), 'without script, too').toHaveCount(0);
  let requests = 0;
  await page.route('**/api/_/request_deletion', async (route) => {
    requests += 1;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await route.continue();
  });
  await main.getByRole('textbox').fill(pages.CONFIRMATION);
  // In the page, as locators wait for the navigation to end.
  const submitted = await page.evaluate(() => {
    const button = document.querySelector<HTMLElement>('main button')!;
    for (const _ of ['press', 'press again']) button.click();
    const isVisible = document.querySelector('main form a')!.checkVisibility();
    return { status: document.querySelector('main form [role=status]')!.textContent, isVisible };
  });
  expect(submitted, 'no way back is offered').toEqual({ status: 'Deleting your account…', isVisible: false });
  await pages.receipt(page);
  expect(requests).toBe(1);
  expect(await clerk.user(person.id)).toBeUndefined();

  await page.goBack();
  await expect(main.getByRole('button', { name: 'Delete account' }), 'it isn’t offered again').toHaveCount(0);
});

for (const script of [true, false]) {
  test(`whoever goes back while the deletion starts is led to its progress, ${script ? 'with' : 'without'} JavaScript`, async ({ another }) => {
    const page = await another({ javaScriptEnabled: script });
    const person = await newcomer('blog');
    await clerk.addFault({ operation: DELETE_USER, path: person.id, status: 503 });
    await pages.signIn(page, person);
    await page.goto('/delete');
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route('**/api/_/request_deletion', async (route) => {
      // The server has the request, and the browser no response yet.
      const response = await route.fetch({ maxRedirects: 0 });
      await held;
      await route.fulfill({ response }).catch(() => {});
    });
    await page.getByRole('textbox').fill(pages.CONFIRMATION);
    await page.getByRole('button', { name: 'Delete account' }).click({ noWaitAfter: true });
    await expect.poll(() => requests(person)).toBe(1);
    await page.goto('/');
    release();
    await expect(page.getByText('Your account is being deleted.')).toBeVisible();
    await page.getByRole('link', { name: 'See the progress' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your account is being deleted');
  });
}

test('focus stays where the reader is, whatever the dialog shows', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/, /status of 403/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const focused = page.locator('dialog :focus');
  await context.setOffline(true);
  await page.getByRole('link', { name: 'Delete account…' }).click();
  const dialog = page.getByRole('dialog');
  const again = dialog.getByRole('button', { name: 'Try again' });
  await again.focus();
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('status').first()).toContainText('you can’t delete your account right now');
  await expect(again, 'it failed once more').toBeFocused();
  await context.setOffline(false);
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('row', { name: /Sign-in account/ })).toBeVisible();
  await expect(focused, 'Try again has become Delete account').toHaveText('Delete account');

  await page.route(
    '**/api/_/request_deletion',
    (route) => route.fulfill({ status: 403, json: { code: 'reverification_needed', incident: '' } }),
    { times: 1 },
  );
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).focus();
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('button', { name: pages.CONFIRM })).toBeVisible();
  await expect(focused, 'the button is gone, the dialog is not').toHaveText('Delete your account?');

  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await pages.openDialog(page);
  await page.route('**/api/_/request_deletion', () => {});
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).focus();
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('status').first()).toHaveText('Deleting your account…');
  await expect(focused).toHaveText('Deleting your account…');
});

test('deletion request that never arrives is reported as such, with a reference', async ({ page, complaints }) => {
  complaints.tolerate(/status of 500/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const before = await rows(person.id);
  const dialog = await pages.openDialog(page);
  await page.route(
    '**/api/_/request_deletion',
    (route) => route.fulfill({ status: 500, json: { code: 'internal', incident: '7Q2M9KXA41TD0' } }),
    { times: 1 },
  );
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Nothing was deleted.');
  await expect(dialog.getByRole('alert')).toContainText('Reference: 7Q2M9KXA41TD0');
  expect(await rows(person.id)).toEqual(before);
  await expect(dialog.getByRole('textbox')).toHaveValue(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await pages.receipt(page);
});

test('deletion request that arrives after it was given up is refused', async ({ page, complaints }) => {
  complaints.tolerate(/status of 504/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const before = await rows(person.id);
  const dialog = await pages.openDialog(page);
  // A gateway gives up waiting, and delivers the request later.
  let deliver: () => Promise<APIResponse> = () => Promise.reject(new Error('nothing was sent'));
  await page.route(
    '**/api/_/request_deletion',
    async (route) => {
      const request = route.request();
      deliver = () => page.request.fetch(request);
      await route.fulfill({ status: 504, body: 'Gateway Timeout' });
    },
    { times: 1 },
  );
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Nothing was deleted.');
  expect((await deliver()).status(), 'it comes too late').toBe(409);
  expect(await requests(person)).toBe(0);
  expect(await rows(person.id)).toEqual(before);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await pages.receipt(page);
});

test('deletion request whose response is lost leads to the receipt', async ({ page, complaints }) => {
  complaints.tolerate(/ERR_FAILED/, /status of 401/);
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  await page.route('**/api/_/request_deletion', async (route) => {
    await route.fetch();
    await route.abort();
  });
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await pages.receipt(page);
  expect(await clerk.user(person.id)).toBeUndefined();
});

test('deletion request without a connection is unknown until the server answers', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await context.setOffline(true);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await expect(dialog.getByRole('status').first()).toContainText('we don’t know yet whether the deletion started');
  await expect(dialog.getByRole('link', { name: 'Your receipt, if it started' })).toBeVisible();
  await expect(dialog.getByRole('button', { name: 'Close' })).toBeVisible();
  await context.setOffline(false);
  await expect(dialog.getByRole('alert')).toContainText('We can’t reach the server. Check your connection. Nothing was deleted.');
  expect(await clerk.user(person.id)).toBeDefined();
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await pages.receipt(page);
});

test('deletion request whose session is over asks for a sign-in, and not again and again', async ({ page, complaints }) => {
  complaints.tolerate(/ERR_FAILED/, /status of 401/);
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  await page.route('**/api/_/request_deletion', async (route) => {
    await sessions.end(page.context());
    await route.abort();
  });
  let checks = 0;
  page.on('request', (request) => (checks += Number(request.url().endsWith('/give_up_deletion'))));
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await expect(dialog.getByRole('status').first()).toContainText('You’re no longer signed in, so we can’t see whether the deletion started.');
  const before = checks;
  // Longer than two pauses between checks.
  await page.waitForTimeout(4000);
  expect(checks, 'it isn’t asked again').toBe(before);
  await expect(dialog.locator('.spinner'), 'nothing is under way').toBeHidden();
  await expect(dialog.getByRole('link', { name: 'Your receipt, if it started' })).toBeVisible();
  await expect(dialog.getByRole('button', { name: 'Close' })).toBeVisible();
  await dialog.getByRole('link', { name: 'Sign in again' }).click();
  await page.getByRole('link', { name: 'Sign in', exact: true }).click();
  await pages.choose(page, person);
  await expect(page.getByRole('link', { name: 'Delete account…' }), 'it hadn’t started').toBeVisible();
  expect(await requests(person)).toBe(0);
});

test('deletion names the account at every width', async ({ page }) => {
  const person = await newcomer('blog');
  await page.setViewportSize({ width: 320, height: 700 });
  await pages.signIn(page, person);
  await hydrated(page);
  await expect(page.getByRole('banner').getByText(person.email).last()).toBeVisible();
  const dialog = await pages.openDialog(page);
  await expect(dialog).toContainText(`Here’s what will happen to the data of ${person.email}.`);
  await page.goto('/delete');
  await expect(page.getByRole('main')).toContainText(person.email);
});

test('a plan that could not be shown is asked for again', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await context.setOffline(true);
  await page.getByRole('link', { name: 'Delete account…' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('status').first()).toContainText('you can’t delete your account right now');
  await expect(dialog.getByRole('textbox')).toBeHidden();
  await context.setOffline(false);
  await dialog.getByRole('button', { name: 'Try again' }).click();
  await expect(dialog.getByRole('row', { name: /Sign-in account/ })).toBeVisible();
  await dialog.getByRole('textbox').fill(pages.CONFIRMATION);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await pages.receipt(page);
});

/** How many deletions were requested for a person. */
async function requests(person: Person): Promise<number> {
  return (await query('select from lethe.deletion_request where clerk_id = $1', [person.id])).length;
}

test('another site can delete nobody', async ({ page, another, complaints }) => {
  complaints.tolerate(/status of 403/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  // The stand-in's page is on another origin; it plays the attacker, with this browser's cookies.
  const attacker = await page.context().newPage();
  await attacker.goto((await signInLink(await another()))!);
  await attacker.evaluate(
    ([action, confirmation]) => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action });
      const field = Object.assign(document.createElement('input'), { name: 'confirmation', value: confirmation });
      form.append(field);
      document.body.append(form);
      form.submit();
    },
    [new URL('/api/_/request_deletion', page.url()).href, pages.CONFIRMATION] as const,
  );
  await expect(attacker.getByText('We blocked this because it came from another website')).toBeVisible();
  expect(await clerk.user(person.id)).toBeDefined();
  expect(total(await rows(person.id))).toBeGreaterThan(0);
});

async function signInLink(page: Page): Promise<string | null> {
  await page.goto('/');
  return page.getByRole('link', { name: 'Sign in', exact: true }).getAttribute('href');
}
