// What becomes of a choice: two tabs, no network, no script yet, an opt-out signal.

import type { Page } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import { ledger } from '../support/database.ts';
import * as pages from '../support/pages.ts';
import { newcomer, type Person } from '../support/people.ts';
import { expect, hydrated, test } from '../support/test.ts';

/** Gives the person everything to withdraw. */
async function allowAll(page: Page): Promise<void> {
  for (const key of ['marketing', 'analytics', 'thirdParty'] as const) await pages.tick(page, key, true);
  await pages.save(page);
  await expect(pages.saving(page)).toHaveText('Saved');
}

async function expectAtClerk(person: Person, marketing: boolean, analytics: boolean, thirdParty: boolean): Promise<void> {
  await expect
    .poll(() => clerk.consent(person.id), { message: 'the mirror', timeout: 60_000 })
    .toMatchObject({ marketing, analytics, thirdParty });
}

for (const script of [true, false]) {
  test.describe(`${script ? 'with' : 'without'} JavaScript`, () => {
    test.use({ javaScriptEnabled: script });

    test('two tabs that withdraw one consent each: both are withdrawn', async ({ page, context }) => {
      const person = await newcomer('blog');
      await pages.signIn(page, person);
      await allowAll(page);
      const tabs = [await context.newPage(), await context.newPage()] as const;
      for (const tab of tabs) {
        await tab.goto('/');
        if (script) await hydrated(tab);
        await pages.expectPreferences(tab, true, true, true);
      }
      await pages.tick(tabs[0], 'marketing', false);
      await pages.tick(tabs[1], 'analytics', false);
      await Promise.all(tabs.map((tab) => pages.save(tab)));
      for (const tab of tabs) await expect(pages.saving(tab)).toHaveText('Saved');
      await page.goto('/');
      await pages.expectPreferences(page, false, false, true);
      await expectAtClerk(person, false, false, true);
    });

    test('saving twice what is the same writes it once', async ({ page }) => {
      const person = await newcomer('lab');
      await pages.signIn(page, person);
      await allowAll(page);
      const written = await ledger(person.id);
      await pages.save(page);
      await expect(pages.saving(page)).toHaveText('Saved');
      expect(await ledger(person.id)).toEqual(written);
      expect(written).toHaveLength(3);
    });

    test("the browser's opt-out signal is honoured and told", async ({ another }) => {
      const person = await newcomer('blog');
      const page = await another({ extraHTTPHeaders: { 'Sec-GPC': '1' }, javaScriptEnabled: script });
      await pages.signIn(page, person);
      await expect(page.getByText('Global Privacy Control')).toBeVisible();
      await expect(pages.purpose(page, 'thirdParty')).toBeDisabled();
      await pages.tick(page, 'marketing', true);
      await pages.save(page);
      await expect(pages.saving(page)).toHaveText('Saved');
      await pages.expectPreferences(page, true, false, false);
      await expectAtClerk(person, true, false, false);
    });
  });
}

test('the choice comes with the page, not after it', async ({ page, complaints }) => {
  complaints.tolerate(/ERR_FAILED|dynamically imported module/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.tick(page, 'marketing', true);
  await pages.save(page);
  await expect(pages.saving(page)).toHaveText('Saved');
  await page.route(/\.(js|wasm)$/, (route) => route.abort());
  await page.goto('/');
  await pages.expectPreferences(page, true, false, false);
});

test('without a connection a choice is kept on the device, and saved when there is one', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await context.setOffline(true);
  await pages.tick(page, 'analytics', true);
  await pages.save(page);
  await expect(pages.saving(page)).toContainText("Couldn't save, kept on this device");
  expect(await ledger(person.id)).toEqual([]);
  const kept = await page.evaluate(() => JSON.stringify(Object.entries(localStorage)));
  for (const trace of [person.id, person.email, person.name]) expect(kept, 'storage names nobody').not.toContain(trace);
  await context.setOffline(false);
  await expect(pages.saving(page)).toHaveText('Saved', { timeout: 40_000 });
  await page.reload();
  await pages.expectPreferences(page, false, true, false);
  expect(await page.evaluate(() => localStorage.length), 'nothing stays on the device').toBe(0);
});

test('what was ticked and not sent is still ticked after a reload, and still not sent', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.tick(page, 'analytics', true);
  await expect(pages.saving(page)).toHaveText('Changed, not saved yet');
  // A download that is refused loads the page again, too.
  for (const path of ['/', '/?export=too_many_requests#copy']) {
    await page.goto(path);
    await expect(pages.saving(page)).toHaveText('Changed, not saved yet');
    await pages.expectPreferences(page, false, true, false);
  }
  expect(await ledger(person.id)).toEqual([]);
  const kept = await page.evaluate(() => JSON.stringify(Object.entries(sessionStorage)));
  for (const trace of [person.id, person.email, person.name]) expect(kept, 'storage names nobody').not.toContain(trace);
  await pages.save(page);
  await expect(pages.saving(page)).toHaveText('Saved');
  await page.reload();
  await pages.expectPreferences(page, false, true, false);
  expect(await page.evaluate(() => sessionStorage.length), 'nothing stays in the tab').toBe(0);
});

test('a kept choice outlives the page', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await hydrated(page);
  await context.setOffline(true);
  await pages.tick(page, 'marketing', true);
  await pages.save(page);
  await expect(pages.saving(page)).toContainText('kept on this device');
  await page.close();
  await context.setOffline(false);
  const later = await context.newPage();
  await later.goto('/');
  await expect(pages.saving(later)).toHaveText('Saved', { timeout: 40_000 });
  await pages.expectPreferences(later, true, false, false);
  await later.reload();
  await pages.expectPreferences(later, true, false, false);
  await expectAtClerk(person, true, false, false);
});

test('a kept choice is not laid over a newer one without asking', async ({ page, context, another, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await context.setOffline(true);
  await pages.tick(page, 'marketing', true);
  await pages.save(page);
  await expect(pages.saving(page)).toContainText('kept on this device');
  await page.close();

  const elsewhere = await another();
  await pages.signIn(elsewhere, person);
  await hydrated(elsewhere);
  await pages.tick(elsewhere, 'analytics', true);
  await pages.save(elsewhere);
  await expect(pages.saving(elsewhere)).toHaveText('Saved');

  await context.setOffline(false);
  const later = await context.newPage();
  await later.goto('/');
  await hydrated(later);
  const question = later.getByRole('group', { name: 'A choice kept on this device' });
  await expect(question).toContainText('Marketing communications on');
  await pages.expectPreferences(later, false, true, false);
  await question.getByRole('button', { name: 'Save the choice from this device' }).click();
  await expect(pages.saving(later)).toHaveText('Saved');
  await later.reload();
  await pages.expectPreferences(later, true, true, false);
});

test('where the script never comes, the forms do', async ({ page, complaints }) => {
  complaints.tolerate(/ERR_FAILED|Failed to fetch/);
  await page.route(/\.wasm$/, (route) => route.abort());
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await pages.tick(page, 'marketing', true);
  await pages.save(page);
  await expect(page).toHaveURL(/\?saved=1#preferences$/);
  await expect(pages.saving(page)).toHaveText('Saved');
  await pages.expectPreferences(page, true, false, false);
  await pages.download(page);
  await page.getByRole('link', { name: 'Delete account…' }).click();
  await expect(page).toHaveURL(/\/delete$/);
  await pages.deleteAccount(page);
});

test('what is ticked before the script comes stays ticked', async ({ page }) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route(/\.wasm$/, async (route) => {
    await held;
    await route.continue();
  });
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await pages.tick(page, 'thirdParty', true);
  release();
  await hydrated(page);
  await expect(pages.purpose(page, 'thirdParty')).toBeChecked();
  await expect(pages.saving(page)).toHaveText('Changed, not saved yet');
  await pages.save(page);
  await expect(pages.saving(page)).toHaveText('Saved');
});

test('a choice that Clerk does not take at first gets there', async ({ page }) => {
  const person = await newcomer('blog');
  await clerk.addFault({ operation: 'PATCH /v1/users/{user_id}/metadata', path: person.id, times: 3, status: 503 });
  await pages.signIn(page, person);
  await pages.tick(page, 'analytics', true);
  await pages.save(page);
  await expect(pages.saving(page)).toHaveText('Saved');
  await expect.poll(() => clerk.consent(person.id), { timeout: 90_000 }).toMatchObject({ analytics: true });
});
