// The whole way of one person: sign in, choose, download, delete. For each product, with and without JavaScript.

import type { APIRequestContext, Page } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import { canonical, comments, commentsOfOthers, exported, rows, total } from '../support/database.ts';
import { expectErased, expectLines } from '../support/outcome.ts';
import * as pages from '../support/pages.ts';
import { stranger, type Person } from '../support/people.ts';
import { settings } from '../support/settings.ts';
import { expect, hydrated, test } from '../support/test.ts';

for (const product of ['blog', 'lab'] as const) {
  for (const script of [true, false]) {
    test.describe(`${product}, ${script ? 'with' : 'without'} JavaScript`, () => {
      test.use({ javaScriptEnabled: script });

      test('the whole way of one person, with nobody else touched', async ({ page, another, request }) => {
        test.setTimeout(420_000);
        const { person, neighbour } = await stranger(product);
        await clerk.mergeMetadata(person.id, { newsletterSegment: { group: 7 } });
        const metadata = (await clerk.user(person.id))!.public_metadata;
        const before = await rows(person.id);
        const others = await commentsOfOthers(person.id);
        const neighbourBefore = await neighbourhood(request, neighbour);

        await test.step('signed out, the page explains and offers the way in', async () => {
          await page.goto('/');
          await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your data, your choice');
          for (const offer of ['Set your preferences', 'Download your data', 'Delete your account']) {
            await expect(page.getByRole('heading', { name: offer })).toBeVisible();
          }
          await pages.expectSignedOut(page);
        });

        await test.step('sign in, and everything is off', async () => {
          await pages.signIn(page, person);
          await expect(page.getByRole('banner')).toContainText(person.email);
          await pages.expectPreferences(page, false, false, false);
          await expect(pages.saving(page)).toHaveText('You haven’t chosen yet');
        });

        await test.step('choose and save', async () => {
          if (script) await hydrated(page);
          await pages.tick(page, 'marketing', true);
          await pages.tick(page, 'thirdParty', true);
          if (script) await expect(pages.saving(page)).toHaveText('Unsaved changes');
          await pages.save(page);
          await expect(pages.saving(page)).toHaveText('Saved');
          await pages.tick(page, 'thirdParty', false);
          await pages.tick(page, 'analytics', true);
          await pages.save(page);
          await expect(pages.saving(page)).toHaveText('Saved');
          await pages.expectPreferences(page, true, true, false);
        });

        await test.step('reload and see the choice, here and at Clerk', async () => {
          await page.goto('/');
          await page.reload();
          await pages.expectPreferences(page, true, true, false);
          await expect(pages.saving(page)).toContainText('Last changed');
          await expect
            .poll(() => clerk.consent(person.id), { message: 'the mirror', timeout: 60_000 })
            .toEqual({ marketing: true, analytics: true, thirdParty: false, updatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) });
          const { consent: _, ...rest } = (await clerk.user(person.id))!.public_metadata;
          expect(rest, 'what others wrote is still there').toEqual(metadata);
        });

        await test.step('download, and every row is in the file, and nothing else', async () => {
          if (script) await hydrated(page);
          const { text, archive } = await pages.download(page);
          expect(Object.keys(archive)).toEqual(['exportDate', 'clerkProfile', 'applicationData']);
          expect(Math.abs(Date.now() - Date.parse(archive.exportDate))).toBeLessThan(120_000);
          expect(archive.applicationData).toEqual(exported(before));
          await expectProfile(archive.clerkProfile, person);
          expect(new Set(text.match(/user_[0-9A-Za-z]{27}/g)), 'only their id').toEqual(new Set([person.id]));
          expect(new Set(text.match(/[\w.]+@example\.org/g)), 'only their address').toEqual(new Set([person.email]));
          const count = `${total(before).toLocaleString('en-US')} items`;
          if (script) await expect(page.locator('#copy').getByRole('status')).toContainText(`Downloaded: ${count}`);
          await page.reload();
          await expect(page.locator('#activity')).toContainText(`You downloaded your data (${count})`);
        });

        // Somebody looks at the list of people while they are still in it.
        const list = await another();
        await list.goto('/');
        await list.getByRole('link', { name: 'Sign in', exact: true }).click();
        await pages.search(list, person);
        const session = (await page.context().cookies()).find((cookie) => cookie.name === '__session')!.value;
        const start = new Date(Date.now() - 2000);

        const address = await test.step('delete', async () => {
          if (script) await confirmInDialog(page, before, others.length);
          else await confirmOnPage(page, person, before, others.length);
          return pages.receipt(page);
        });

        await test.step('the receipt opens without an account and names nobody', async () => {
          const stranger = await another();
          await stranger.goto(address);
          expectLines(await pages.lines(stranger.getByRole('main')), before, others.length, false);
          await expect(stranger.getByText(address.split('/').at(-1)!)).toBeVisible();
          await pages.expectNamesNobody(stranger, person);
        });

        await test.step('the session has ended, and nobody can sign in as them', async () => {
          await page.goto('/');
          await pages.expectSignedOut(page);
          const late = await request.get('/api/privacy/consent', { headers: { authorization: `Bearer ${session}` } });
          expect(late.status()).toBe(401);
          expect(await clerk.user(person.id)).toBeUndefined();
          await list.getByRole('button', { name: person.email }).click();
          await expect(list.getByRole('heading', { name: 'Couldn’t find your account' })).toBeVisible();
          await page.getByRole('link', { name: 'Sign in', exact: true }).click();
          await pages.search(page, person);
          await expect(page.getByRole('status')).toContainText("An account that was deleted can't sign in any more.");
        });

        await test.step('the database holds what the map keeps', async () => {
          await expectErased(person.id, before, start);
          expect(await comments(others.map((comment) => comment['id']))).toEqual(
            others.map((comment) => ({ ...comment, post_id: null })),
          );
        });

        await test.step('the neighbour has what they had, to the byte', async () => {
          expect(await neighbourhood(request, neighbour, neighbourBefore.token)).toEqual(neighbourBefore);
        });

        await test.step('the receipt comes by mail', async () => {
          await expect.poll(() => mail(person), { timeout: 60_000 }).toContain(address);
        });
      });
    });
  }
}

/** A person's rows and export, without the moment of the export. */
async function neighbourhood(request: APIRequestContext, person: Person, token?: string) {
  token ??= await clerk.token(person.id);
  const answer = await request.get('/api/privacy/export', { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status()).toBe(200);
  const text = await answer.text();
  return { token, rows: await canonical(person.id), export: text.replace(/"exportDate":"[^"]*"/, '') };
}

/** The profile in the file is Clerk's, without secrets. */
async function expectProfile(profile: Record<string, unknown>, person: Person): Promise<void> {
  const user = (await clerk.user(person.id))!;
  const { id, first_name, last_name, public_metadata, primary_email_address_id, created_at } = user as unknown as Record<string, unknown>;
  expect(profile).toMatchObject({ id, first_name, last_name, public_metadata, primary_email_address_id, created_at });
  expect(profile['email_addresses']).toMatchObject([{ email_address: person.email }]);
  expect(profile['sessions']).toContainEqual(expect.objectContaining({ status: 'active' }));
  expect(profile).not.toHaveProperty('private_metadata');
}

async function confirmInDialog(page: Page, before: Awaited<ReturnType<typeof rows>>, others: number): Promise<void> {
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  expectLines(await pages.lines(dialog), before, others, true);
  const button = dialog.getByRole('button', { name: 'Delete account' });
  await dialog.getByRole('textbox').fill('delete my accoun');
  await button.click();
  await expect(dialog.getByText('Type “delete my account” exactly as shown. Nothing was deleted.')).toBeVisible();
  await expect(dialog.getByRole('textbox')).toBeFocused();
  await dialog.getByRole('textbox').pressSequentially('t');
  await button.click();
}

async function confirmOnPage(page: Page, person: Person, before: Awaited<ReturnType<typeof rows>>, others: number): Promise<void> {
  await page.getByRole('link', { name: 'Delete account…' }).click();
  await expect(page).toHaveURL(/\/delete$/);
  expectLines(await pages.lines(page.getByRole('main')), before, others, true);
  await page.getByRole('textbox').fill('yes, please');
  await page.getByRole('button', { name: 'Delete account' }).click();
  await expect(page.getByRole('alert')).toHaveText('Type “delete my account” exactly as shown. Nothing was deleted.');
  await expect(page.getByRole('textbox'), 'what was typed can be corrected').toHaveValue('yes, please');
  expect(await rows(person.id)).toEqual(before);
  await page.getByRole('textbox').fill(pages.CONFIRMATION);
  await page.getByRole('button', { name: 'Delete account' }).click();
}

/** Everything that was mailed to a person. */
async function mail(person: Person): Promise<string> {
  const messages = (await (await fetch(`${settings.inboxUrl}/messages`)).json()) as { to: string[] }[];
  return JSON.stringify(messages.filter((message) => message.to.includes(person.email)));
}
