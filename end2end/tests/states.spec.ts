// Every page in every state: axe finds nothing, in both colour schemes; nothing overflows on a phone and everything
// can be hit there; pictures are taken for those who want to look.

import { copyFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import { states } from '../support/states.ts';
import { expect, test } from '../support/test.ts';

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

test.afterEach(() => clerk.endFaults());

for (const [name, open] of Object.entries(states)) {
  test(name, async ({ page: first, another, complaints }) => {
    complaints.tolerate(/status of 40[134]|status of 422|ERR_INTERNET_DISCONNECTED/);
    const page = await open(first, another);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const [width, size] of [['1280', DESKTOP], ['390', PHONE]] as const) {
        await page.setViewportSize(size);
        const about = `${name}, ${colorScheme}, ${width}`;
        await picture(page, `${name.replaceAll(/[^a-z]+/g, '-')}-${width}-${colorScheme}`);
        // On the phone the colours are those of the desktop, so one scheme is enough there.
        if (size === DESKTOP || colorScheme === 'light') expect.soft(await violations(page), `axe: ${about}`).toEqual([]);
        if (size === PHONE) {
          expect.soft(await overflow(page), `wider than the screen: ${about}`).toEqual([]);
          expect.soft(await page.evaluate(smallTargets), `smaller than 44 pixels: ${about}`).toEqual([]);
        }
      }
    }
  });
}

async function violations(page: Page): Promise<unknown[]> {
  // The legacy mode leaves out frames of other origins, of which there are none, and a tab for each analysis.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
  return violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) }));
}

/** What stands out to the right, where anything does. */
async function overflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > width + 0.5);
    return wide.length > 0 ? wide.map((element) => `${element.tagName} ${element.className}`) : ['the document'];
  });
}

/** Runs in the page. Links in running text are exempt, as in WCAG 2.5.8; a label counts as part of its control. */
function smallTargets(): string[] {
  const modal = document.querySelector('dialog:modal');
  const small: string[] = [];
  for (const target of (modal ?? document).querySelectorAll<HTMLElement>('a[href], button, input:not([type=hidden]), summary')) {
    if (!target.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const text = target.textContent?.trim() ?? '';
    const isInText = getComputedStyle(target).display === 'inline' && target.parentElement!.textContent!.trim() !== text;
    if (isInText) continue;
    target.scrollIntoView({ block: 'center' });
    const box = target.getBoundingClientRect();
    // The way past the header shows itself when it has the focus.
    if (box.bottom <= 0) continue;
    const parts: Element[] = [target, ...((target as HTMLInputElement).labels ?? [])];
    const isHit = (x: number, y: number) => {
      const hit = document.elementFromPoint(x, y);
      return parts.some((part) => part.contains(hit));
    };
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const isTall = box.height >= 43.9 || (isHit(x, y - 21) && isHit(x, y + 21));
    const isWide = box.width >= 43.9 || (isHit(x - 21, y) && isHit(x + 21, y)) || (isHit(x, y) && isHit(x + 43, y));
    if (!isTall || !isWide) small.push(`${target.outerHTML.slice(0, 80)} ${Math.round(box.width)}×${Math.round(box.height)}`);
  }
  window.scrollTo(0, 0);
  return small;
}

async function picture(page: Page, file: string): Promise<void> {
  const path = `test-results/screenshots/${file}.png`;
  await page.mouse.move(0, 0);
  // A modal dialog covers the window, and a full page would cut it off.
  const isModal = await page.evaluate(() => document.querySelector('dialog:modal') !== null);
  await page.screenshot({ path, fullPage: !isModal, animations: 'disabled' });
  const wanted = process.env['LETHE_README_SCREENSHOT'];
  if (wanted && file === 'center-later-1280-light') {
    await mkdir(dirname(wanted), { recursive: true });
    await copyFile(path, wanted);
  }
}
