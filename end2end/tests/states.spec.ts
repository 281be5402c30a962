// Every page in every state: axe finds nothing, in both colour schemes and in forced colours; nothing overflows or is cut
// off at any width, with large and with spaced text; the focus is always seen; everything can be hit on a phone. Pictures
// are taken for those who want to look.

import { copyFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import * as clerk from '../support/clerk.ts';
import { states } from '../support/states.ts';
import { expect, test } from '../support/test.ts';

const DESKTOP = { width: 1280, height: 900 };
const TABLET = { width: 768, height: 1024 };
const PHONE = { width: 390, height: 844 };
/** The narrowest phone, and 1280 pixels at 400 % zoom (WCAG 1.4.10). */
const NARROW = { width: 320, height: 568 };
/** Low windows: a phone with its keyboard open, and a laptop's window beside others. */
const LOW = [{ width: 390, height: 480 }, { width: 1280, height: 540 }, { width: 320, height: 256 }];

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
        if (size === PHONE && colorScheme === 'light') {
          expect.soft(await page.evaluate(smallTargets), `smaller than 44 pixels: ${about}`).toEqual([]);
        }
      }
    }
    await page.emulateMedia({ colorScheme: 'light', forcedColors: 'active', reducedMotion: 'reduce' });
    await page.setViewportSize(DESKTOP);
    await picture(page, `${name.replaceAll(/[^a-z]+/g, '-')}-1280-forced-colors`);
    expect.soft(await violations(page), `axe: ${name}, forced colours`).toEqual([]);
    await page.emulateMedia({ forcedColors: 'none' });

    for (const size of [DESKTOP, TABLET, PHONE, NARROW]) {
      await page.setViewportSize(size);
      const about = `${name}, ${size.width}`;
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
    for (const size of LOW) {
      await page.setViewportSize(size);
      expect.soft(await hiddenFocus(page), `focus not seen: ${name}, ${size.width} × ${size.height}`).toEqual([]);
    }
  });
}

/** What readers set for themselves: text of double size (WCAG 1.4.4), and the spacing of WCAG 1.4.12. */
const READER_STYLES = {
  '200 % text': 'html { font-size: 200% }',
  'text spacing': '* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-bottom: 2em !important }',
};

/** Texts whose boxes are too small for them. */
async function cutTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const cut: string[] = [];
    for (const element of document.querySelectorAll<HTMLElement>('body *')) {
      const { overflowX, overflowY, clipPath, position } = getComputedStyle(element);
      const clips = [overflowX, overflowY].some((value) => value === 'hidden' || value === 'clip');
      // Texts for screen readers alone are cut off on purpose.
      // A field scrolls what is typed.
      if (!clips || clipPath !== 'none' || position === 'absolute' || element.matches('input') || !element.checkVisibility()) continue;
      if (element.scrollWidth > element.clientWidth + 1) cut.push(`${element.tagName}.${element.className}`);
    }
    return cut;
  });
}

/** Walks the page with Tab and returns every stop at which nothing of the focused element can be seen (WCAG 2.4.11). */
async function hiddenFocus(page: Page): Promise<string[]> {
  await page.evaluate(() => {
    (document.activeElement as HTMLElement | null)?.blur();
    window.scrollTo(0, 0);
  });
  const hidden = new Set<string>();
  let first: string | undefined;
  for (let press = 0; press < 70; press += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return undefined;
      const box = element.getBoundingClientRect();
      const parts = [element, ...((element as HTMLInputElement).labels ?? [])];
      const isSeen = [0.1, 0.5, 0.9].some((x) =>
        [0.1, 0.5, 0.9].some((y) => {
          const hit = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
          return hit !== null && parts.some((part) => part.contains(hit));
        }),
      );
      return { what: `${element.outerHTML.slice(0, 90)} at ${Math.round(box.top)}`, key: element.outerHTML.slice(0, 200), isSeen };
    });
    if (!stop) break;
    first ??= stop.key;
    if (press > 0 && stop.key === first) break;
    if (!stop.isSeen) hidden.add(stop.what);
  }
  return [...hidden];
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
