// What the center shows of itself: what is held, where one is told what, and what stays when something fails.

import * as clerk from '../support/clerk.ts';
import { rows, total } from '../support/database.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import * as sessions from '../support/sessions.ts';
import { expect, hydrated, test } from '../support/test.ts';

test.afterEach(() => clerk.endFaults());

test('what we hold stands before any button, with counts and what happens to it', async ({ page }) => {
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await hydrated(page);
  const card = page.locator('#data');
  await expect(card.getByRole('row', { name: /Sign-in account/ })).toBeVisible();
  const lines = await pages.lines(card);
  const counts = Object.values(lines).map(([count]) => Number(count.replaceAll(',', '')));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(total(await rows(person.id)) + 1);
  await expect(card).toContainText(/Oldest from \d+ \w+ \d{4}/);
  const first = await page.locator('main :is(button, .button):visible').first().evaluate((button) => button.closest('section')!.id);
  expect(first).not.toBe('data');
});

test('cards stand apart, beside the navigation where there is room', async ({ page }) => {
  await pages.signIn(page, await newcomer('blog'));
  await hydrated(page);
  for (const [width, isBeside] of [[1280, true], [390, false]] as const) {
    await page.setViewportSize({ width, height: 900 });
    const cards = await page.locator('.cards section.card').evaluateAll((cards) =>
      cards.map((card) => card.getBoundingClientRect()).map(({ top, bottom, left }) => ({ top, bottom, left })),
    );
    expect(cards).toHaveLength(5);
    cards.slice(1).forEach((card, index) => expect(card.top - cards[index]!.bottom).toBeGreaterThanOrEqual(16));
    const navigation = (await page.getByRole('navigation', { name: 'On this page' }).boundingBox())!;
    expect(navigation.x + navigation.width <= cards[0]!.left, `${width} pixels`).toBe(isBeside);
  }
});

test('what we hold is a page where no script runs', async ({ another }) => {
  const page = await another({ javaScriptEnabled: false });
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await page.getByRole('link', { name: 'See what we hold about you' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('What we hold');
  await expect(page.getByRole('row', { name: /Posts/ })).toBeVisible();
});

test('download that fails keeps the page and says why', async ({ page, complaints }) => {
  complaints.tolerate(/status of 503/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await pages.tick(page, 'analytics', true);
  await clerk.addFault({ operation: 'GET /v1/users/{user_id}', path: person.id, status: 503 });
  await page.getByRole('link', { name: 'Download my data' }).click();
  await expect(page.locator('#copy').getByRole('status')).toContainText('Not downloaded. A service we need isn’t responding.');
  await expect(page.locator('#copy')).toContainText(/Reference: [0-9A-Z]{13}/);
  await expect(pages.saving(page), 'what was ticked is still there').toHaveText('Unsaved changes');
  await clerk.endFaults();
});

test('download that fails gives the focus back to its button, which says why', async ({ page, complaints }) => {
  complaints.tolerate(/status of 503/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await clerk.addFault({ operation: 'GET /v1/users/{user_id}', path: person.id, status: 503 });
  await page.getByRole('link', { name: 'Download my data' }).click();
  await expect(page.locator('#copy')).toContainText(/Reference: [0-9A-Z]{13}/);
  const button = page.getByRole('link', { name: 'Download my data' });
  await expect(button).toBeFocused();
  await expect(button).toHaveAccessibleDescription('Not downloaded. A service we need isn’t responding. Try again in a minute.');
  await clerk.endFaults();
});

test('download that is refused by the script has a reference, and the way on', async ({ page, complaints }) => {
  complaints.tolerate(/status of 401|status of 500/);
  await pages.signIn(page, await newcomer('blog'));
  await hydrated(page);
  const card = page.locator('#copy');
  await page.route('**/api/_/prepare_export', (route) => route.fulfill({ status: 500, json: { code: 'internal', incident: '7Q2M9KXA41TD0' } }), { times: 1 });
  await card.getByRole('link', { name: 'Download my data' }).click();
  await expect(card.getByRole('status')).toContainText('Reference: 7Q2M9KXA41TD0');
  await sessions.end(page.context());
  await card.getByRole('link', { name: 'Download my data' }).click();
  await expect(card.getByRole('status')).toHaveText('Not downloaded. You’ve been signed out.');
  await expect(card.getByRole('link', { name: 'Sign in again' })).toBeVisible();
});

test('activity follows a download without a reload', async ({ page }) => {
  await pages.signIn(page, await newcomer('blog'));
  await hydrated(page);
  await pages.download(page);
  await expect(page.locator('#activity').getByRole('listitem')).toHaveText([/You downloaded your data \(\d+ items\)$/]);
});

test('message that is in the page when it opens is put in once more, for screen readers', async ({ page }) => {
  await pages.signIn(page, await newcomer('blog'));
  // What screen readers announce is what changes in a live region.
  await page.addInitScript(() => {
    const added: string[] = [];
    Object.assign(window, { added });
    new MutationObserver((records) => {
      for (const { target, addedNodes } of records) {
        const region = (target as HTMLElement).closest?.('[role=status], [role=alert]');
        if (region && addedNodes.length > 0 && document.readyState === 'complete') added.push(region.textContent!);
      }
    }).observe(document, { childList: true, subtree: true });
  });
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('status')).toHaveText('You’ve signed out.');
  await expect.poll(() => page.evaluate(() => (window as unknown as { added: string[] }).added)).toEqual(['You’ve signed out.']);
});

test('download without a connection keeps the page', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await context.setOffline(true);
  await page.getByRole('link', { name: 'Download my data' }).click();
  await expect(page.locator('#copy').getByRole('status')).toHaveText('Not downloaded. We can’t reach the server. Check your connection.');
  await context.setOffline(false);
  await pages.download(page);
});

test('signing out is confirmed, once', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('status')).toHaveText('You’ve signed out.');
  await page.reload();
  await expect(page.getByRole('status')).toHaveCount(0);
});

test('download after the session has ended says so on the page that asks to sign in', async ({ another }) => {
  const page = await another({ javaScriptEnabled: false });
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await sessions.end(page.context());
  await page.getByRole('link', { name: 'Download my data' }).click();
  await expect(page.getByRole('status')).toHaveText('Not downloaded. You’ve been signed out.');
  await pages.expectSignedOut(page);
});

test('sign-in that is too old is asked for before the button that needs a fresh one', async ({ page }) => {
  const person = await newcomer('blog');
  await sessions.signInLongAgo(page.context(), person);
  await page.goto('/');
  const card = page.locator('#copy');
  await expect(card).toContainText('To protect your data, sign in again first. You’ll be signed out');
  await expect(card.getByRole('link', { name: 'Download my data' })).toHaveCount(0);
  await card.getByRole('button', { name: 'Sign in again' }).click();
  await pages.choose(page, person);
  await expect(card.getByRole('status').first()).toHaveText('Thanks, it’s you. Press Download my data to start.');
  await pages.download(page);
});

test('other person who signs in on the way back is told so where they land', async ({ page }) => {
  const [person, other] = [await newcomer('blog'), await newcomer('lab')];
  await sessions.signInLongAgo(page.context(), person);
  await page.goto('/');
  await page.locator('#copy').getByRole('button', { name: 'Sign in again' }).click();
  await pages.choose(page, other);
  const notice = page.locator('#copy').getByText(`You’re now signed in as ${other.email}.`);
  await expect(notice).toBeInViewport();
});
