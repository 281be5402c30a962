// Brands, names and addresses of any length fit.

import { inspect } from '../support/inspection.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { expect, hydrated, test } from '../support/test.ts';

const BRAND = 'Donaudampfschifffahrtsgesellschaftskasse'; // 39 letters
const NAME = 'wolfeschlegelsteinhausenbergerdorffwelche'; // 41, hence an address of 62

test('long brand and address fit on the page and in the dialog', async ({ another }) => {
  const server = await startServer('', { brand: BRAND });
  try {
    const person = await newcomer('blog', NAME);
    expect(person.email.length).toBeGreaterThan(60);
    const page = await another({ baseURL: server.url });
    await page.goto('/');
    await inspect(page, 'landing, long names');
    await page.getByRole('link', { name: 'Sign in', exact: true }).click();
    await pages.choose(page, person);
    await hydrated(page);
    await expect(page.getByRole('banner')).toContainText(BRAND);
    await inspect(page, 'center, long names');
    const dialog = await pages.openDialog(page);
    await expect(dialog).toContainText(person.email);
    await inspect(page, 'dialog, long names');
  } finally {
    await server.stop();
  }
});
