// The data map doesn't fit the database for a while: requests to delete are taken in and wait, and go on by themselves.

import type { Locator, Page } from '@playwright/test';

import { query } from '../support/database.ts';
import * as clerk from '../support/clerk.ts';
import { inspect } from '../support/inspection.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { expect, hydrated, test } from '../support/test.ts';

/** The longest time until a check of the map, and what follows. */
const GOES_ON = { timeout: 75_000 };

const misfit = () =>
  query('create table public.surprise (id bigint primary key, user_id text references public.users (clerk_id))');
const fit = () => query('drop table if exists public.surprise');

test.afterEach(async () => {
  await fit();
});

/** The dialog, or the page without JavaScript. */
async function openForm(page: Page, script: boolean): Promise<Locator> {
  if (!script) {
    await page.goto('/delete');
    return page.getByRole('main');
  }
  await hydrated(page);
  await page.getByRole('link', { name: 'Delete account…' }).click();
  return page.getByRole('dialog');
}

for (const script of [true, false]) {
  test.describe(`${script ? 'with' : 'without'} JavaScript`, () => {
    test('a request is taken without a list while the map misfits', async ({ another, complaints }) => {
      // What is held can't be said while the map misfits.
      complaints.tolerate(/status of 503/);
      const page = await another({ javaScriptEnabled: script });
      const person = await newcomer('blog');
      await pages.signIn(page, person);
      await misfit();
      const form = await openForm(page, script);
      await expect(form.getByText('Our list of the data we hold is out of date right now')).toBeVisible();
      await expect(form.getByRole('row')).toHaveCount(0);
      if (script) await inspect(page, 'dialog, without a list');
      await form.getByRole('textbox').fill(pages.CONFIRMATION);
      await form.getByRole('button', { name: 'Delete account' }).click();
      await expect(page.getByRole('heading', { name: 'Your account is being deleted' })).toBeVisible();
      await pages.eventually(page, page.getByText('Your request is recorded.'));
      expect(await clerk.user(person.id)).toBeDefined();
      if (script) await inspect(page, 'receipt, waiting for the list');

      await fit();
      await pages.receipt(page);
      await expect(page.getByText('When you asked, we couldn’t list what would happen.')).toBeVisible();
      if (script) await inspect(page, 'receipt, confirmed without a list');
      expect(await clerk.user(person.id)).toBeUndefined();
    });
  });
}

for (const script of [true, false]) {
  test(`a deletion that would wait for the operator says so before, ${script ? 'with' : 'without'} JavaScript`, async ({ another }) => {
    const page = await another({ javaScriptEnabled: script });
    const person = await newcomer('blog');
    await pages.signIn(page, person);
    // A table without a rule has the user's id.
    await query('alter table public.schema_migrations add column applied_by text');
    try {
      await query(`insert into public.schema_migrations (version, applied_at, applied_by) values (29991231, now(), $1)`, [person.id]);
      const form = await openForm(page, script);
      await expect(form.getByText('Something on our side has to be put right before your data can be deleted.')).toBeVisible();
      await expect(form.getByRole('row')).not.toHaveCount(0);
      if (script) await inspect(page, 'dialog, a deletion that would wait');
    } finally {
      await query(`delete from public.schema_migrations where version = 29991231`);
      await query('alter table public.schema_migrations drop column applied_by');
    }
  });
}

test('whoever confirmed something else is asked again, and one sign-in is enough', async ({ page, another, complaints }) => {
  complaints.tolerate(/status of 401|status of 503/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await misfit();
  await page.goto('/delete');
  await page.getByRole('textbox').fill(pages.CONFIRMATION);
  await page.getByRole('button', { name: 'Delete account' }).click();
  await expect(page.getByText('Your request is recorded.')).toBeVisible();
  // As if a list without any table had been confirmed.
  await query(`update lethe.deletion_request set plan_hash = repeat('0', 64) where clerk_id = $1`, [person.id]);
  await fit();
  await expect(page.getByText('What would happen to your data has changed since you confirmed.')).toBeVisible(GOES_ON);
  await inspect(page, 'receipt, to be confirmed again');

  const later = await another();
  await pages.signIn(later, person, '/delete');
  await expect(later.getByRole('heading', { name: 'Confirm the deletion again' })).toBeVisible();
  await expect(later.getByRole('banner')).toContainText(`Signed in as ${person.email}`);
  await expect(later.getByRole('main')).toContainText(`Here’s what will happen to the data of ${person.email}. This can’t be undone.`);
  await expect(later.getByRole('table').first().getByText('You confirmed: not on the list').first()).toBeVisible();
  await inspect(later, 'delete page, confirm again');
  await later.goto('/');
  await expect(later.getByRole('link', { name: 'See the progress' })).toBeVisible();
  await inspect(later, 'landing, deletion under way');
  await expect(later.getByRole('link', { name: 'Sign in', exact: true })).toHaveCount(0);
  await later.goto('/delete');
  await later.getByRole('textbox').fill(pages.CONFIRMATION);
  await later.getByRole('button', { name: 'Delete account' }).click();
  await pages.receipt(later);
  await expect(later.getByText('You confirmed the change on')).toBeVisible();
  expect(await clerk.user(person.id)).toBeUndefined();
});
