// What users do on the pages.

import { readFile } from 'node:fs/promises';
import type { Locator, Page } from '@playwright/test';
import type { Person } from './people.ts';
import { settings } from './settings.ts';
import { expect, hydrated } from './test.ts';

export const CONFIRMATION = 'delete my account';
export const CONFIRM = 'Sign in again';
/** The headline of a receipt, whatever is left of the data. */
const DELETED = /^Your account (has|and your data have) been deleted(; some of your data [^;]+)?$/;

/** Opens a page, signs in there as the person, and expects to return to it. */
export async function signIn(page: Page, person: Person, path = '/'): Promise<void> {
  await page.goto(path);
  await page.getByRole('link', { name: 'Sign in', exact: true }).click();
  await choose(page, person);
  await expect(page).toHaveURL(settings.url + path);
}

/** Finds and chooses the person on the hosted sign-in page. */
export async function choose(page: Page, person: Person): Promise<void> {
  await search(page, person);
  await page.getByRole('button', { name: person.email }).click();
}

export async function search(page: Page, person: Person): Promise<void> {
  await expect(page.getByRole('heading', { name: 'Who are you today?' })).toBeVisible();
  await page.getByRole('searchbox', { name: 'Name or address' }).fill(person.email);
  await page.getByRole('button', { name: 'Search' }).click();
}

export function purpose(page: Page, key: 'marketing' | 'analytics' | 'thirdParty'): Locator {
  const names = { marketing: 'Marketing communications', analytics: 'Analytics', thirdParty: 'Sharing with third parties' };
  return page.getByRole('checkbox', { name: names[key], exact: true });
}

/** Ticks or unticks a purpose by clicking its row, all of which is the checkbox's label. */
export async function tick(page: Page, key: Parameters<typeof purpose>[1], granted: boolean): Promise<void> {
  const box = purpose(page, key);
  await expect(box).toBeEnabled();
  if ((await box.isChecked()) !== granted) await page.locator('.choice', { has: box }).locator('label').click();
  await expect(box).toBeChecked({ checked: granted });
}

/** The message that says whether the choice was saved. */
export function saving(page: Page): Locator {
  return page.locator('#preferences').getByRole('status');
}

export async function save(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Save preferences' }).click();
}

/** Decides without a connection, so that the choice stays on the device. */
export async function decideOffline(page: Page, key: Parameters<typeof purpose>[1], granted: boolean): Promise<void> {
  await page.context().setOffline(true);
  await tick(page, key, granted);
  await save(page);
  await expect(saving(page)).toContainText('keep your choice on this device');
}

/** Ticks or unticks a purpose, saves, and waits until it is saved. */
export async function decide(page: Page, key: Parameters<typeof purpose>[1], granted: boolean): Promise<void> {
  await tick(page, key, granted);
  await save(page);
  await expect(saving(page)).toHaveText('Saved');
}

/** Decides on another device while this page is closed, and opens a new one here, where the connection is back. */
export async function decideElsewhere(page: Page, elsewhere: Page, person: Person): Promise<Page> {
  const context = page.context();
  await page.close();
  await signIn(elsewhere, person);
  await hydrated(elsewhere);
  await decide(elsewhere, 'analytics', true);
  await context.setOffline(false);
  return context.newPage();
}

export async function expectPreferences(page: Page, marketing: boolean, analytics: boolean, thirdParty: boolean): Promise<void> {
  await expect(purpose(page, 'marketing')).toBeChecked({ checked: marketing });
  await expect(purpose(page, 'analytics')).toBeChecked({ checked: analytics });
  await expect(purpose(page, 'thirdParty')).toBeChecked({ checked: thirdParty });
}

export async function expectSignedOut(page: Page): Promise<void> {
  await expect(page.getByRole('link', { name: 'Sign in', exact: true })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Sign out' })).toHaveCount(0);
}

export type Archive = {
  exportDate: string;
  clerkProfile: Record<string, unknown>;
  applicationData: Record<string, unknown[]>;
};

/** Downloads the signed-in person's data. */
export async function download(page: Page): Promise<{ text: string; archive: Archive }> {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download my data' }).click(),
  ]);
  expect(file.suggestedFilename()).toMatch(/-data-\d{4}-\d\d-\d\d\.json$/);
  const text = await readFile(await file.path(), 'utf8');
  return { text, archive: JSON.parse(text) as Archive };
}

/** Opens the dialog and waits for its plan. */
export async function openDialog(page: Page): Promise<Locator> {
  await page.getByRole('link', { name: 'Delete account…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete your account?' });
  await expect(dialog.getByRole('row', { name: /Sign-in account/ })).toBeVisible();
  return dialog;
}

/** Lines of a plan or receipt: `{Posts: ['12', 'deleted']}`. */
export async function lines(place: Locator): Promise<Record<string, [rows: string, becomes: string]>> {
  const found: Record<string, [string, string]> = {};
  for (const row of await place.locator('table.plan tbody tr').all()) {
    const [label = '', count = '', becomes = ''] = await row.locator('th, td').allInnerTexts();
    // Below the label stands the date of the oldest item.
    found[label.split('\n')[0]!.trim()] = [count, becomes.replaceAll(/\s+/g, ' ').trim()];
  }
  return found;
}

/** Waits for the receipt and returns its URL. */
export async function receipt(page: Page): Promise<string> {
  await expect(page).toHaveURL(/\/receipt\/[0-9A-Z-]{24}$/, { timeout: 60_000 });
  await eventually(page, page.getByRole('heading', { name: DELETED }));
  return page.url();
}

/** Waits until the page of a deletion shows this. Where the page doesn't renew itself, it is asked to. */
export async function eventually(page: Page, target: Locator): Promise<void> {
  await expect(async () => {
    const again = page.getByRole('link', { name: 'Check again' });
    if (await again.isVisible()) await again.click();
    await expect(target).toBeVisible({ timeout: 1000 });
  }).toPass({ timeout: 90_000 });
}

/** Deletes the signed-in person's account on `/delete`, which works without JavaScript. Returns the receipt's URL. */
export async function deleteAccount(page: Page): Promise<string> {
  await page.goto('/delete');
  await page.getByRole('textbox').fill(CONFIRMATION);
  await page.getByRole('button', { name: 'Delete account' }).click();
  return receipt(page);
}

/** Checks that nothing on a page, visible or not, identifies the person. */
export async function expectNamesNobody(page: Page, person: Person): Promise<void> {
  const content = await page.content();
  for (const trace of [person.id, person.email, person.name]) expect(content).not.toContain(trace);
}
