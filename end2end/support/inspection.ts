// Inspects a page in one state: axe finds nothing, in both colour schemes and in forced colours; nothing overflows or is cut
// off at any width, with large and with spaced text; the focus is always seen; everything can be hit on a phone. Pictures
// are taken for those who want to look.

import { copyFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Page } from '@playwright/test';
import { READER_STYLES, cutTexts, hiddenFocus, overflow, smallTargets, violations } from './accessibility.ts';
import { expect } from './test.ts';

const DESKTOP = { width: 1280, height: 900 };
const TABLET = { width: 768, height: 1024 };
const PHONE = { width: 390, height: 844 };
/** The narrowest phone, and 1280 pixels at 400 % zoom (WCAG 1.4.10). */
const NARROW = { width: 320, height: 568 };
/** Low windows: a phone with its keyboard open, and a laptop's window beside others. */
const LOW = [{ width: 390, height: 480 }, { width: 1280, height: 540 }, { width: 320, height: 256 }];

/** Inspects the page, and names the state in every failure and picture. */
export async function inspect(page: Page, state: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const [width, size] of [['1280', DESKTOP], ['390', PHONE]] as const) {
      await page.setViewportSize(size);
      const about = `${state}, ${colorScheme}, ${width}`;
      await picture(page, `${state.replaceAll(/[^a-z]+/g, '-')}-${width}-${colorScheme}`);
      // On the phone the colours are those of the desktop, so one scheme is enough there.
      if (size === DESKTOP || colorScheme === 'light') expect.soft(await violations(page), `axe: ${about}`).toEqual([]);
      if (size === PHONE && colorScheme === 'light') {
        expect.soft(await smallTargets(page), `smaller than 44 pixels: ${about}`).toEqual([]);
      }
    }
  }
  await page.emulateMedia({ colorScheme: 'light', forcedColors: 'active', reducedMotion: 'reduce' });
  await page.setViewportSize(DESKTOP);
  await picture(page, `${state.replaceAll(/[^a-z]+/g, '-')}-1280-forced-colors`);
  expect.soft(await violations(page), `axe: ${state}, forced colours`).toEqual([]);
  await page.emulateMedia({ forcedColors: 'none' });

  await inspectLayout(page, state);
  for (const size of LOW) {
    await page.setViewportSize(size);
    expect.soft(await hiddenFocus(page), `focus: ${state}, ${size.width} × ${size.height}`).toEqual([]);
  }
  await page.setViewportSize(DESKTOP);
}

/** Checks the room at every width. Needs no script in the page. */
export async function inspectLayout(page: Page, state: string): Promise<void> {
  for (const size of [DESKTOP, TABLET, PHONE, NARROW]) {
    await page.setViewportSize(size);
    const about = `${state}, ${size.width}`;
    expect.soft(await overflow(page), `wider than the screen: ${about}`).toEqual([]);
    for (const [setting, style] of Object.entries(READER_STYLES)) {
      const sheet = await page.evaluateHandle((css) => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
        document.adoptedStyleSheets.push(sheet);
        return sheet;
      }, style);
      expect.soft(await overflow(page), `wider than the screen: ${about}, ${setting}`).toEqual([]);
      expect.soft(await cutTexts(page), `cut off: ${about}, ${setting}`).toEqual([]);
      await sheet.evaluate((sheet) => (document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet)));
    }
  }
  await page.setViewportSize(DESKTOP);
}

async function picture(page: Page, file: string): Promise<void> {
  const path = `test-results/screenshots/${file}.png`;
  await page.mouse.move(0, 0);
  // What sticks to the top of the window would stand in the middle of a page that is scrolled.
  await page.evaluate(() => window.scrollTo(0, 0));
  // A modal dialog covers the window, and a full page would cut it off.
  const isModal = await page.evaluate(() => document.querySelector('dialog:modal') !== null);
  await page.screenshot({ path, fullPage: !isModal, animations: 'disabled' });
  const wanted = process.env['LETHE_README_SCREENSHOT'];
  if (wanted && file === 'center-later-1280-light') {
    await mkdir(dirname(wanted), { recursive: true });
    await copyFile(path, wanted);
  }
}
