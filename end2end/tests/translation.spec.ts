// Browsers translate pages by replacing their text nodes. Statuses go on changing, and hydration goes on working.

import type { Page } from '@playwright/test';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { expect, hydrated, test } from '../support/test.ts';

/** Does what Google Translate does: each text moves into two `font` elements. */
async function translate(page: Page): Promise<void> {
  await page.evaluate(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts: Text[] = [];
    while (walker.nextNode()) texts.push(walker.currentNode as Text);
    for (const text of texts) {
      if (!text.data.trim() || text.parentElement?.closest('script, style, [translate=no]')) continue;
      const [outer, inner] = [document.createElement('font'), document.createElement('font')];
      inner.textContent = `«${text.data}»`;
      outer.append(inner);
      text.replaceWith(outer);
    }
  });
}

test('statuses change on a translated page', async ({ page, context, complaints }) => {
  complaints.tolerate(/ERR_INTERNET_DISCONNECTED/);
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  await translate(page);
  const status = pages.saving(page);
  await expect(status).toContainText('«You haven’t chosen yet»');
  await page.locator('#purpose-marketing-title').click();
  await expect(status).toHaveText('Unsaved changes');
  await page.locator('#preferences form .card-foot button:not([type=button])').click();
  await expect(status).toHaveText('Saved');
  await translate(page);
  await context.setOffline(true);
  await page.locator('#purpose-marketing-title').click();
  await page.locator('#preferences form .card-foot button:not([type=button])').click();
  await expect(status).toContainText('Not saved: you seem to be offline');
  await context.setOffline(false);
  await expect(status).toHaveText('Saved', { timeout: 40_000 });

  await page.locator('#deletion a.button-stop').click();
  const lead = page.getByRole('dialog').getByRole('status').first();
  await expect(lead).toContainText('Here’s what will happen');
});

for (const form of ['dialog', 'page'] as const) {
  test(`account is deleted by typing what a translated ${form} asks for`, async ({ page, complaints }) => {
    complaints.tolerate(/status of 401/);
    const person = await newcomer('blog');
    await pages.signIn(page, person, form === 'page' ? '/delete' : '/');
    if (form === 'dialog') {
      await hydrated(page);
      await pages.openDialog(page);
    }
    await translate(page);
    const root = page.locator(form === 'dialog' ? 'dialog' : 'main');
    const phrase = root.locator('label.confirm [translate=no]');
    await root.getByRole('textbox').fill('ein anderer Satz');
    await root.locator('button.button-destroy').click();
    const error = form === 'dialog' ? root.locator('#deletion-hint') : root.getByRole('alert');
    await expect(error).toContainText('exactly as shown');
    await translate(page);
    await expect(error.locator('[translate=no]:visible'), 'the error repeats it').toHaveText((await phrase.textContent())!);
    await root.getByRole('textbox').fill((await phrase.textContent())!);
    await root.locator('button.button-destroy').click();
    await pages.receipt(page);
  });
}

test('page that is translated before its script arrives hydrates and saves', async ({ page }) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route(/\.wasm$/, async (route) => {
    await held;
    await route.continue();
  });
  const person = await newcomer('lab');
  await pages.signIn(page, person);
  await page.locator('#purpose-analytics-title').click();
  await translate(page);
  release();
  await hydrated(page);
  await expect(page.locator('#purpose-analytics')).toBeChecked();
  await expect(pages.saving(page)).toContainText('Unsaved changes');
  await pages.save(page);
  await expect(pages.saving(page)).toHaveText('Saved');
  await page.reload();
  await pages.expectPreferences(page, false, true, false);
});
