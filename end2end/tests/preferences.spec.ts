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
      // Without script the page can't know that there was nothing to save.
      await expect(pages.saving(page)).toHaveText(script ? 'No changes to save' : 'Saved');
      expect(await ledger(person.id)).toEqual(written);
      expect(written).toHaveLength(3);
    });

    test("the browser's opt-out signal is honoured and told", async ({ another }) => {
      const person = await newcomer('blog');
      const page = await another({ extraHTTPHeaders: { 'Sec-GPC': '1' }, javaScriptEnabled: script });
      await pages.signIn(page, person);
      await expect(page.getByText('Global Privacy Control')).toBeVisible();
      await expect(pages.purpose(page, 'thirdParty')).toBeDisabled();
      await pages.decide(page, 'marketing', true);
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
  await pages.decide(page, 'marketing', true);
  await page.route(/\.(js|wasm)$/, (route) => route.abort());
  await page.goto('/');
  await pages.expectPreferences(page, true, false, false);
});

test('without a connection a choice is kept on the device, and saved when there is one', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.decideOffline(page, 'analytics', true);
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
  await expect(pages.saving(page)).toHaveText('Unsaved changes');
  // A download that is refused loads the page again, too.
  for (const path of ['/', '/?export=too_many_requests#copy']) {
    await page.goto(path);
    await expect(pages.saving(page)).toHaveText('Unsaved changes');
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

test('consent that could not be saved is asked about at the next visit, and not sent', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.decideOffline(page, 'marketing', true);
  await page.close();
  await context.setOffline(false);
  const later = await context.newPage();
  await later.goto('/');
  await hydrated(later);
  const question = later.getByRole('group', { name: 'Your earlier choice' });
  await expect(question).toContainText('You chose Marketing communications: on, but we couldn’t save it.');
  await expect(pages.saving(later)).toHaveText('Not saved yet');
  await pages.expectPreferences(later, false, false, false);
  expect(await ledger(person.id), 'nothing is sent by itself').toEqual([]);
  await question.getByRole('button', { name: 'Use my earlier choice' }).click();
  await expect(pages.purpose(later, 'marketing'), 'the focus is not lost').toBeFocused();
  await expect(pages.saving(later)).toHaveText('Saved');
  await later.reload();
  await pages.expectPreferences(later, true, false, false);
  await expectAtClerk(person, true, false, false);
});

test('withdrawal that could not be saved is sent at the next visit', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.decide(page, 'marketing', true);
  await pages.decideOffline(page, 'marketing', false);
  await page.close();
  await context.setOffline(false);
  const later = await context.newPage();
  await later.goto('/');
  await expect(pages.saving(later)).toHaveText('Saved', { timeout: 40_000 });
  await expectAtClerk(person, false, false, false);
});

test('saving records only what was changed, and the activity follows', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const activity = page.locator('#activity');
  await expect(activity).toContainText('Nothing yet.');
  await pages.decide(page, 'analytics', true);
  expect(await ledger(person.id)).toHaveLength(1);
  await expect(activity.getByRole('listitem')).toHaveText([/You turned on Analytics$/]);
  await activity.getByRole('link', { name: 'See all activity' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Activity');
  await expect(page.getByRole('listitem').filter({ hasText: 'You turned on Analytics' })).toHaveCount(1);
});

test('activity has older pages', async ({ page, request, complaints }) => {
  complaints.tolerate(/status of 401/);
  const person = await newcomer('blog');
  const headers = { authorization: `Bearer ${await clerk.token(person.id)}` };
  for (let change = 0; change < 101; change += 1) {
    const response = await request.post('/api/privacy/consent', { headers, data: { analytics: change % 2 === 0 } });
    expect(response.status()).toBe(200);
  }
  await pages.signIn(page, person, '/activity');
  const entries = page.getByRole('listitem').filter({ hasText: 'in the app' });
  await expect(entries).toHaveCount(100);
  await page.getByRole('link', { name: 'Older activity' }).click();
  await expect(entries).toHaveText([/Analytics turned on in the app$/]);
  await expect(page.getByRole('link', { name: 'Older activity' })).toHaveCount(0);
  await page.getByRole('link', { name: 'Newest activity' }).click();
  await expect(entries).toHaveCount(100);
});

test('all purposes are turned off with one button', async ({ page }) => {
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await hydrated(page);
  await allowAll(page);
  await page.getByRole('button', { name: 'Turn all off' }).click();
  await pages.expectPreferences(page, false, false, false);
  await expect(pages.saving(page)).toHaveText('Unsaved changes');
  await pages.save(page);
  await expect(pages.saving(page)).toHaveText('Saved');
  await expectAtClerk(person, false, false, false);
});

test('choice made in another tab appears when one comes back', async ({ page, context }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const other = await context.newPage();
  await other.goto('/');
  await hydrated(other);
  await pages.decide(other, 'marketing', true);
  await page.evaluate(() => window.dispatchEvent(new Event('focus')));
  await pages.expectPreferences(page, true, false, false);
  await expect(pages.saving(page)).toContainText('Last changed');
});

test('address claims nothing', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  for (const query of ['saved=1', 'unsaved=gone', 'export=unavailable', 'refused=confirmation_missing']) {
    await page.goto(`/?${query}`);
    await expect(pages.saving(page)).toHaveText('You haven’t chosen yet');
    await expect(page.locator('#copy').getByRole('status')).not.toContainText('Not downloaded');
  }
  await page.goto('/delete?refused=confirmation_missing');
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('times are those of the reader, with UTC beside them', async ({ another }) => {
  const person = await newcomer('blog');
  const page = await another({ timezoneId: 'Asia/Tokyo', locale: 'en-GB' });
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.tick(page, 'marketing', true);
  await pages.save(page);
  const time = page.locator('#activity time').first();
  await expect(time).toHaveAttribute('title', /UTC$/);
  const [stamp, shown] = [(await time.getAttribute('datetime'))!, await time.textContent()];
  const expected = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'Asia/Tokyo' });
  expect(shown).toBe(expected.format(new Date(stamp)));
  await page.reload();
  await hydrated(page);
  await expect(pages.saving(page)).toHaveText(`Last changed ${shown}`);
});

test('a kept choice is not laid over a newer one without asking', async ({ page, another, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.decideOffline(page, 'marketing', true);
  const later = await pages.decideElsewhere(page, await another(), person);
  await later.goto('/');
  await hydrated(later);
  const question = later.getByRole('group', { name: 'Your earlier choice' });
  await expect(question).toContainText('Marketing communications: on');
  await pages.expectPreferences(later, false, true, false);
  await question.getByRole('button', { name: 'Use my earlier choice' }).click();
  await expect(pages.saving(later)).toHaveText('Saved');
  await later.reload();
  await pages.expectPreferences(later, true, true, false);
});

test('withdrawal is sent at the next visit although another purpose was changed, and nothing else with it', async ({ page, another, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.decide(page, 'marketing', true);
  await pages.decideOffline(page, 'marketing', false);
  const later = await pages.decideElsewhere(page, await another(), person);
  // Ticked before the script comes, and not saved.
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await later.route(/\.wasm$/, async (route) => {
    await held;
    await route.continue();
  });
  await later.goto('/');
  await later.locator('#purpose-thirdParty-title').click();
  release();
  await hydrated(later);
  await expect(pages.saving(later)).toHaveText('Unsaved changes');
  await pages.expectPreferences(later, false, true, true);
  await expect.poll(() => ledger(person.id)).toEqual([
    { purpose: 'marketing', granted: false },
    { purpose: 'analytics', granted: true },
    { purpose: 'marketing', granted: true },
  ]);
});

test('focus goes to the boxes when the current choice is to stay', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  await pages.signIn(page, await newcomer('lab'));
  await hydrated(page);
  await pages.decideOffline(page, 'analytics', true);
  await page.close();
  await context.setOffline(false);
  const later = await context.newPage();
  await later.goto('/');
  await hydrated(later);
  await later.getByRole('button', { name: 'Keep the current ones' }).focus();
  await later.keyboard.press('Enter');
  await expect(later.getByRole('group', { name: 'Your earlier choice' })).toBeHidden();
  await expect(pages.purpose(later, 'marketing')).toBeFocused();
});

test('tag beside a box says what saving does', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const box = pages.purpose(page, 'analytics');
  await expect(box).toHaveAccessibleDescription(/ Off$/);
  await pages.tick(page, 'analytics', true);
  await expect(box).toHaveAccessibleDescription(/ On once you save$/);
  await pages.save(page);
  await expect(box).toHaveAccessibleDescription(/ On since \d+ \w+ \d{4}$/);
  await pages.tick(page, 'analytics', false);
  await expect(box).toHaveAccessibleDescription(/ Off once you save$/);
  await pages.tick(page, 'analytics', true);
  await expect(box).toHaveAccessibleDescription(/ On since \d+ \w+ \d{4}$/);
});

/** What makes the islands impossible, and what the browser says about it. */
const WITHOUT_ISLANDS: Record<string, [(page: Page) => Promise<unknown>, RegExp]> = {
  'where the script never comes': [(page) => page.route(/\.wasm$/, (route) => route.abort()), /ERR_FAILED|Failed to fetch/],
  'in a browser without WebAssembly': [
    (page) => page.addInitScript(() => Reflect.deleteProperty(window, 'WebAssembly')),
    /WebAssembly is not defined/,
  ],
};

for (const [where, [prepare, expected]] of Object.entries(WITHOUT_ISLANDS)) {
  test(`${where}, the forms do`, async ({ page, complaints }) => {
    complaints.tolerate(expected);
    await prepare(page);
    const person = await newcomer('blog');
    await pages.signIn(page, person);
    await pages.tick(page, 'marketing', true);
    await pages.save(page);
    await expect(page).toHaveURL(/\/#preferences$/);
    await expect(pages.saving(page)).toHaveText('Saved');
    await pages.expectPreferences(page, true, false, false);
    await page.reload();
    await expect(pages.saving(page), 'a message is shown once').toContainText('Last changed');
    await pages.download(page);
    await page.getByRole('link', { name: 'Delete account…' }).click();
    await expect(page).toHaveURL(/\/delete$/);
    await pages.deleteAccount(page);
  });
}

/** As DevTools' preset: 400 kbit/s, and 400 ms for each round trip. */
const SLOW_3G = { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 };

test('on slow 3G the page is used before its script is there', async ({ page, context }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  await session.send('Network.emulateNetworkConditions', SLOW_3G);
  await page.goto('/', { waitUntil: 'commit' });
  await page.getByText('Analytics', { exact: true }).click();
  expect(await page.evaluate(() => 'isHydrated' in window), 'the script is on its way').toBe(false);
  await hydrated(page);
  await expect(pages.purpose(page, 'analytics')).toBeChecked();
  await pages.save(page);
  await expect(pages.saving(page)).toHaveText('Saved');
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
  await expect(pages.saving(page)).toHaveText('Unsaved changes');
  await pages.save(page);
  await expect(pages.saving(page)).toHaveText('Saved');
});

test('a choice that Clerk does not take at first gets there', async ({ page }) => {
  const person = await newcomer('blog');
  await clerk.addFault({ operation: 'PATCH /v1/users/{user_id}/metadata', path: person.id, times: 3, status: 503 });
  await pages.signIn(page, person);
  await pages.decide(page, 'analytics', true);
  await expect.poll(() => clerk.consent(person.id), { timeout: 90_000 }).toMatchObject({ analytics: true });
});
