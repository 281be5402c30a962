// The operator changes what a purpose says: whoever agreed to the earlier text is asked anew, and their history stays theirs.

import { ledger } from '../support/database.ts';
import { inspect } from '../support/inspection.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { expect, hydrated, test } from '../support/test.ts';

const purpose = (title: string, text: string, version: string) => `
[[purpose]]
key = "analytics"
title = "${title}"
text = "${text}"
version = "${version}"
`;
const BEFORE = purpose('Reading statistics', 'We count which pages you read.', '1');
const AFTER = purpose('Selling your reading history', 'We sell what you read to partners.', '2');

for (const script of [true, false]) {
  test(`purpose whose text changed is off until it is chosen again, ${script ? 'with' : 'without'} JavaScript`, async ({ another }) => {
    const person = await newcomer('blog');
    const earlier = await startServer(BEFORE);
    let page = await another({ baseURL: earlier.url, javaScriptEnabled: script });
    await page.goto('/');
    await page.getByRole('link', { name: 'Sign in', exact: true }).click();
    await pages.choose(page, person);
    if (script) await hydrated(page);
    await page.getByText('Reading statistics', { exact: true }).click();
    await pages.save(page);
    await expect(pages.saving(page)).toHaveText('Saved');
    await earlier.stop();

    const later = await startServer(AFTER);
    try {
      page = await another({ baseURL: later.url, javaScriptEnabled: script });
      await page.goto('/');
      await page.getByRole('link', { name: 'Sign in', exact: true }).click();
      await pages.choose(page, person);
      const box = page.getByRole('checkbox', { name: 'Selling your reading history', exact: true });
      await expect(box).not.toBeChecked();
      await expect(box).toHaveAccessibleDescription(/This has changed since you agreed on .*, so it’s off until you choose\./);
      if (script) await inspect(page, 'center, changed purpose');
      await page.goto('/activity');
      await expect(page.getByText('You turned on Reading statistics')).toBeVisible();
      await expect(page.getByText('Selling your reading history')).toHaveCount(0);
      expect(await ledger(person.id)).toEqual([{ purpose: 'analytics', granted: true }]);

      await page.goto('/');
      if (script) await hydrated(page);
      await page.getByText('Selling your reading history', { exact: true }).click();
      await pages.save(page);
      await expect(pages.saving(page)).toHaveText('Saved');
      await expect(page.getByText('so it’s off until you choose'), 'the note is about an earlier choice').toBeHidden();
      await expect(box).toHaveAccessibleDescription(/ On since \d+ \w+ \d{4}$/);
      await page.goto('/activity');
      await expect(page.getByText('You turned on Selling your reading history')).toBeVisible();
      await expect(page.getByText('You turned on Reading statistics')).toBeVisible();
    } finally {
      await later.stop();
    }
  });
}
