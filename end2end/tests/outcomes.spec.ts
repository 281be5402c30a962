// The table of outcomes stays readable whatever the labels, the number of tables, the width and the zoom.

import type { Page } from '@playwright/test';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { expect, hydrated, test } from '../support/test.ts';

const WORD = 'Donaudampfschifffahrtselektrizitätenhaup';
const SENTENCE = 'What you wrote, read, marked, answered, liked, shared, moved, renamed, exported, imported and deleted in the app '.slice(0, 120);

/** Sixty tables, some with labels and reasons that are hard to fit in. */
const LINES = Array.from({ length: 60 }, (_, index) => ({
  label: [WORD, SENTENCE, 'تعليقات!', `Table ${index}`][index % 4]!,
  rows: '1,234,567',
  since: index % 2 ? 'Oldest from 3 March 2024' : null,
  becomes: ['Deleted', 'Hidden now, deleted on 26 December 2026', 'Kept until 22 November 2028'][index % 3]!,
  why: index % 3 === 2 ? `${WORD} ${SENTENCE}` : null,
  tone: ['deleted', 'later', 'retained'][index % 3]!,
}));

/** Returns the cells that can't be seen after scrolling to them. */
async function hiddenCells(page: Page, root: string): Promise<string[]> {
  return page.evaluate((selector) => {
    const hidden: string[] = [];
    for (const cell of document.querySelectorAll<HTMLElement>(`${selector} table.plan tbody :is(th, td)`)) {
      // A cell may be higher than the window.
      cell.scrollIntoView({ block: 'start' });
      const box = cell.getBoundingClientRect();
      const width = document.documentElement.clientWidth;
      const hit = document.elementFromPoint(box.left + Math.min(8, box.width / 2), box.top + Math.min(8, box.height / 2));
      if (box.left < -0.5 || box.right > width + 0.5 || !hit || !cell.contains(hit)) hidden.push(`${cell.textContent?.slice(0, 30)} ${Math.round(box.left)}–${Math.round(box.right)} of ${width}`);
      // A word must not stand out of its cell either.
      if (cell.scrollWidth > cell.clientWidth + 1) hidden.push(`${cell.textContent?.slice(0, 30)} stands out`);
    }
    return hidden;
  }, root);
}

// 1280 × 900 at 400 % is 320 × 225.
const SIZES = [[1280, 900], [768, 1024], [390, 844], [320, 640], [320, 225]] as const;

test('long labels, long words and sixty tables cut off no outcome in the dialog', async ({ page }) => {
  const person = await newcomer('blog');
  await pages.signIn(page, person);
  await hydrated(page);
  const dialog = await pages.openDialog(page);
  await dialog.locator('tbody').evaluate((body, lines) => {
    const pattern = body.querySelector('tr')!;
    body.replaceChildren(
      ...lines.map((line) => {
        const row = pattern.cloneNode(true) as HTMLElement;
        const [label, count, outcome] = row.children as unknown as [HTMLElement, HTMLElement, HTMLElement];
        const small = (text: string | null) => {
          const element = document.createElement('small');
          element.textContent = text;
          return text ? [element] : [];
        };
        label.replaceChildren(line.label, ...small(line.since));
        count.textContent = line.rows;
        outcome.className = `outcome outcome-${line.tone}`;
        outcome.querySelector('span')!.textContent = line.becomes;
        outcome.replaceChildren(outcome.querySelector('span')!, ...small(line.why));
        return row;
      }),
    );
  }, LINES);
  await expect(dialog.getByRole('row')).toHaveCount(61);
  for (const [width, height] of SIZES) {
    await page.setViewportSize({ width, height });
    expect.soft(await hiddenCells(page, 'dialog'), `${width} × ${height}`).toEqual([]);
    await page.evaluate(() => (document.documentElement.style.fontSize = '200%'));
    expect.soft(await hiddenCells(page, 'dialog'), `${width} × ${height}, 200 % text`).toEqual([]);
    await page.evaluate(() => (document.documentElement.style.fontSize = ''));
  }
});

test('what stays is listed first, and each kind of outcome has its own tone', async ({ page, complaints }) => {
  complaints.tolerate(/status of 401/);
  const person = await newcomer('lab');
  await pages.signIn(page, person, '/delete');
  const tones = await page.locator('td.outcome').evaluateAll((cells) => cells.map((cell) => [...cell.classList].at(-1)!));
  const order = ['outcome-retained', 'outcome-later', 'outcome-deleted'];
  expect(tones).toEqual([...tones].sort((one, other) => order.indexOf(one) - order.indexOf(other)));
  expect(new Set(tones)).toEqual(new Set(order));
  const colors = await page.locator('td.outcome > span').evaluateAll((spans) => spans.map((span) => getComputedStyle(span).color));
  expect(new Set(colors).size).toBe(3);
  await expect(page.getByRole('main')).toContainText('This can’t be undone.');
});
