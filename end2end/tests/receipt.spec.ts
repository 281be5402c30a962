// The receipt: found by its code, copied, printed on one page, and about nobody.

import * as clerk from '../support/clerk.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { settings } from '../support/settings.ts';
import { expect, test } from '../support/test.ts';

test.afterEach(() => clerk.endFaults());

test('receipt sums up, from its headline on, what was deleted, what will be and what is kept', async ({ page, complaints }) => {
  complaints.tolerate(/status of 401/);
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await pages.deleteAccount(page);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your account has been deleted; some of your data is kept, and some will be deleted later');
  await expect(page.locator('.summary')).toHaveText(/^[\d,]+ items? kept\. [\d,]+ items? hidden now and deleted by \d+ \w+ \d{4}\.( \d+ items? deleted\.)?$/);
  await expect(page.getByText('Technical details')).toBeVisible();
  await expect(page.getByText('Audit log'), 'technical values are folded').toBeHidden();

  const blogger = await newcomer('blog');
  await pages.signIn(page, blogger);
  await pages.deleteAccount(page);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your account and your data have been deleted');
});

for (const script of [true, false]) {
  test(`receipt is found by its code, ${script ? 'with' : 'without'} JavaScript`, async ({ another, complaints }) => {
    complaints.tolerate(/status of 401/);
    const person = await newcomer('blog');
    const page = await another({ javaScriptEnabled: script });
    await pages.signIn(page, person);
    const url = await pages.deleteAccount(page);
    const code = url.split('/').at(-1)!;
    const stranger = await another({ javaScriptEnabled: script });
    await stranger.goto('/');
    await stranger.getByRole('link', { name: 'Find a deletion receipt' }).click();
    const field = stranger.getByRole('textbox', { name: 'Receipt code' });
    await field.fill('not a code');
    await stranger.getByRole('button', { name: 'Open receipt' }).click();
    await expect(stranger.getByRole('alert')).toHaveText('We have no receipt with this code. Check it and try again.');
    await expect(stranger).toHaveTitle(/^Error: /);
    await expect(field).toHaveValue('not a code');
    await field.fill(` ${code.toLowerCase().replaceAll('-', '')} `);
    await stranger.getByRole('button', { name: 'Open receipt' }).click();
    await expect(stranger).toHaveURL(url);
    await pages.expectNamesNobody(stranger, person);
  });
}

test('receipt is copied, and printed on one page in both schemes', async ({ page, context, complaints }) => {
  complaints.tolerate(/status of 401/);
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: settings.url });
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  const url = await pages.deleteAccount(page);
  await page.getByRole('button', { name: 'Copy link' }).click();
  await expect(page.getByText('Link copied')).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(url);
  await page.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))));
  await page.getByRole('button', { name: 'Copy link' }).click();
  await expect(page.getByText('Not copied. Copy the address of this page instead.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Print' })).toBeVisible();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, media: 'print' });
    const file = await page.pdf({ format: 'A4', path: `test-results/receipt-${colorScheme}.pdf` });
    const sheets = file.toString('latin1').match(/\/Type\s*\/Page\b/g) ?? [];
    expect(sheets, colorScheme).toHaveLength(1);
    expect(await page.evaluate(() => getComputedStyle(document.body).color)).toBe('rgb(0, 0, 0)');
  }
});

test('receipt that somebody else looks at names neither of them', async ({ page, complaints }) => {
  complaints.tolerate(/status of 401/);
  const [person, other] = [await newcomer('blog'), await newcomer('lab')];
  await pages.signIn(page, person);
  const url = await pages.deleteAccount(page);
  await pages.signIn(page, other);
  await page.goto(url);
  await expect(page.getByRole('heading', { level: 1 })).toContainText('deleted');
  await pages.expectNamesNobody(page, person);
  await pages.expectNamesNobody(page, other);
});

test('person whose deletion is under way is led to its page', async ({ page, complaints }) => {
  complaints.tolerate(/status of 401/);
  const person = await newcomer('lab');
  await pages.signIn(page, person, '/delete');
  await clerk.addFault({ operation: 'DELETE /v1/users/{user_id}', path: person.id, status: 503 });
  await page.getByRole('textbox').fill(pages.CONFIRMATION);
  await page.getByRole('button', { name: 'Delete account' }).click();
  await pages.eventually(page, page.getByText('Deleted your data'));
  await page.goto('/');
  // Another sign-in would lead nowhere else.
  await expect(page.getByRole('link', { name: 'Sign in', exact: true })).toHaveCount(0);
  await expect(page.getByText('Your account is being deleted.')).toBeVisible();
  await page.getByRole('link', { name: 'See the progress' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your account is being deleted');
});
