// An operator with forty purposes in five groups: everything is found, Save stays at hand, the focus stays visible.

import { cutTexts, hiddenFocus, overflow, violations } from '../support/accessibility.ts';
import { ledger } from '../support/database.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { startServer, type Server } from '../support/server.ts';
import { expect, hydrated, test } from '../support/test.ts';

const GROUPS = ['Messages', 'Product analytics', 'Advertising', 'Partners in research and education', 'Community'];
const COUNT = 40;

/** The longest title is in one word, as in languages that form compounds. */
function title(number: number): string {
  return number === 7 ? 'Datenschutzgrundverordnungseinwilligungen' : `Purpose number ${number}`;
}

const purposes = Array.from({ length: COUNT }, (_, index) => `
[[purpose]]
key = "purpose${index + 1}"
title = "${title(index + 1)}"
text = "${'What this purpose is for, in a sentence of some length. '.repeat(1 + (index % 3)).trim()}"
version = "1"
group = "${GROUPS[Math.floor((index * GROUPS.length) / COUNT)]}"
`).join('');

let server: Server;
test.beforeAll(async () => {
  server = await startServer(purposes);
});
test.afterAll(() => server.stop());

for (const script of [true, false]) {
  test(`forty purposes ${script ? 'with' : 'without'} JavaScript`, async ({ another }) => {
    const page = await another({ baseURL: server.url, javaScriptEnabled: script });
    const person = await newcomer('blog');
    await page.goto('/');
    await page.getByRole('link', { name: 'Sign in', exact: true }).click();
    await pages.choose(page, person);
    await expect(page).toHaveURL(`${server.url}/`);
    if (script) await hydrated(page);

    const form = page.locator('#preferences');
    await expect(form.getByRole('checkbox')).toHaveCount(COUNT);
    await expect(form.getByRole('heading', { level: 3 })).toHaveText(GROUPS);
    const save = page.getByRole('button', { name: 'Save preferences' });

    for (const number of [1, 20]) {
      await form.getByText(title(number), { exact: true }).click();
      await expect(form.getByRole('checkbox', { name: title(number), exact: true })).toBeChecked();
    }
    if (script) {
      for (const size of [{ width: 1280, height: 540 }, { width: 390, height: 844 }, { width: 320, height: 568 }]) {
        await page.setViewportSize(size);
        await form.getByRole('checkbox', { name: title(20), exact: true }).scrollIntoViewIfNeeded();
        await expect(save, `Save is at hand at ${size.width} pixels`).toBeInViewport({ ratio: 1 });
        expect(await hiddenFocus(page), `focus not seen: ${size.width}`).toEqual([]);
      }
    }
    for (const width of [1280, 768, 390, 320]) {
      await page.setViewportSize({ width, height: 844 });
      expect.soft(await overflow(page), `wider than the screen: ${width}`).toEqual([]);
      expect.soft(await cutTexts(page), `cut off: ${width}`).toEqual([]);
    }
    // axe runs in the page, which needs script.
    if (script) expect.soft(await violations(page)).toEqual([]);

    await save.click();
    await expect(pages.saving(page)).toHaveText('Saved');
    expect(await ledger(person.id)).toHaveLength(2);

    if (!script) return;
    await form.getByRole('button', { name: 'Turn all off' }).click();
    await expect(form.getByRole('checkbox', { checked: true })).toHaveCount(0);
    await save.click();
    await expect(pages.saving(page)).toHaveText('Saved');
    expect(await ledger(person.id)).toHaveLength(4);
  });
}
