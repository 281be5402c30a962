// A purpose that is on by default: whoever doesn't touch it has decided nothing about it.

import { ledger } from '../support/database.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { startServer, type Server } from '../support/server.ts';
import { expect, hydrated, test } from '../support/test.ts';

const PURPOSES = `
[[purpose]]
key = "security"
title = "Protection from abuse"
text = "We compare sign-ins to find stolen accounts."
version = "1"
legal_basis = "legitimate_interest"
default_granted = true

[[purpose]]
key = "marketing"
title = "News"
text = "News by email."
version = "1"
`;

let server: Server;
test.beforeAll(async () => {
  server = await startServer(PURPOSES);
});
test.afterAll(() => server.stop());

for (const script of [true, false]) {
  test(`purpose that is on by default is recorded only when it is turned off, ${script ? 'with' : 'without'} JavaScript`, async ({ another }) => {
    const page = await another({ baseURL: server.url, javaScriptEnabled: script });
    const person = await newcomer('blog');
    await page.goto('/');
    await page.getByRole('link', { name: 'Sign in', exact: true }).click();
    await pages.choose(page, person);
    if (script) await hydrated(page);
    const box = page.getByRole('checkbox', { name: 'Protection from abuse', exact: true });
    await expect(box).toBeChecked();
    await expect(box).toHaveAccessibleDescription(/ On unless you turn it off$/);
    await page.getByText('News', { exact: true }).click();
    await pages.save(page);
    await expect(pages.saving(page)).toHaveText('Saved');
    expect(await ledger(person.id)).toEqual([{ purpose: 'marketing', granted: true }]);
    await expect(box).toBeChecked();

    await page.getByText('Protection from abuse', { exact: true }).click();
    await pages.save(page);
    await expect(pages.saving(page)).toHaveText('Saved');
    await expect(box).not.toBeChecked();
    expect(await ledger(person.id)).toHaveLength(2);
    expect((await ledger(person.id))[0]).toEqual({ purpose: 'security', granted: false });
  });
}
