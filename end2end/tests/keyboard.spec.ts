// The whole way without a mouse, with the focus in sight at every stop.

import type { Locator, Page } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { settings } from '../support/settings.ts';
import { expect, hydrated, test } from '../support/test.ts';

/** Presses Tab until the element has the focus. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let press = 0; press < 60; press += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return undefined;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return { what: element.outerHTML.slice(0, 80), outline: outlineStyle === 'none' ? 0 : parseFloat(outlineWidth) };
    });
    if (focused) expect(focused.outline, `the focus is seen on ${focused.what}`).toBeGreaterThanOrEqual(2);
    if (await target.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`Tab never comes to ${target}`);
}

test('the whole way by keyboard', async ({ page }) => {
  const person = await newcomer('lab');
  await page.goto('/');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to main content' })).toBeFocused();
  await expect(page.getByRole('link', { name: 'Skip to main content' })).toBeInViewport();
  await page.keyboard.press('Enter');
  await tabTo(page, page.getByRole('link', { name: 'Sign in', exact: true }));
  await page.keyboard.press('Enter');

  await expect(page.getByRole('heading', { name: 'Who are you today?' })).toBeVisible();
  await tabTo(page, page.getByRole('searchbox'));
  await page.keyboard.type(person.email);
  await page.keyboard.press('Enter');
  await expect(page.getByText('One person.')).toBeVisible();
  await tabTo(page, page.getByRole('button', { name: person.email }));
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${settings.url}/`);
  await hydrated(page);

  await tabTo(page, pages.purpose(page, 'analytics'));
  await page.keyboard.press('Space');
  await tabTo(page, page.getByRole('button', { name: 'Save preferences' }));
  await page.keyboard.press('Enter');
  await expect(pages.saving(page)).toHaveText('Saved');
  await expect(page.getByRole('button', { name: 'Save preferences' }), 'the focus stays').toBeFocused();

  await tabTo(page, page.getByRole('link', { name: 'Download my data' }));
  const file = page.waitForEvent('download');
  await page.keyboard.press('Enter');
  await file;
  await expect(page.locator('#copy').getByRole('status')).toContainText('Downloaded');

  const opener = page.getByRole('link', { name: 'Delete account…' });
  const dialog = page.getByRole('dialog');
  await tabTo(page, opener);
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('row', { name: /Sign-in account/ })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(opener).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('row', { name: /Sign-in account/ })).toBeVisible();
  await tabTo(page, dialog.getByRole('textbox'));
  await page.keyboard.type(pages.CONFIRMATION);
  await tabTo(page, dialog.getByRole('button', { name: 'Delete account' }));
  await page.keyboard.press('Enter');
  await pages.receipt(page);
  expect(await clerk.user(person.id)).toBeUndefined();
});
