// What every page must satisfy: axe's rules, room at any width and text size, a visible focus, targets large enough for a
// finger.

import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/** What readers set for themselves: text of double size (WCAG 1.4.4), and the spacing of WCAG 1.4.12. */
export const READER_STYLES = {
  '200 % text': 'html { font-size: 200% }',
  'text spacing': '* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-bottom: 2em !important }',
};

/** Texts whose boxes are too small for them. */
export async function cutTexts(page: Page): Promise<string[]> {
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

/**
 * Walks the page with Tab, from its beginning to its end. Returns every stop at which nothing of the focused element can be seen
 * (WCAG 2.4.11), and every control to which Tab doesn't lead (WCAG 2.1.1).
 */
export async function hiddenFocus(page: Page): Promise<string[]> {
  const problems = new Set<string>();
  await page.evaluate(focusBeginning);
  for (let press = 0; press < 200; press += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(visitFocused);
    if (!stop) break;
    if (!stop.isVisible) problems.add(stop.element);
  }
  for (const element of await page.evaluate(unvisitedControls)) problems.add(`never focused: ${element}`);
  return [...problems];
}

/** Runs in the page. Puts the focus before the first control: Tab goes on from wherever it was last. */
function focusBeginning(): void {
  const root = document.querySelector<HTMLElement>('dialog:modal') ?? document.body;
  const tabIndex = root.getAttribute('tabindex');
  root.tabIndex = -1;
  root.focus({ preventScroll: true });
  if (tabIndex === null) root.removeAttribute('tabindex');
  window.scrollTo(0, 0);
  Object.assign(window, { visited: new Set<Element>() });
}

/** Runs in the page. Returns nothing at its end, where the browser's own controls have the focus. */
function visitFocused(): { element: string; isVisible: boolean } | undefined {
  const { visited } = window as unknown as { visited: Set<Element> };
  const element = document.activeElement;
  if (!element || element === document.body || visited.has(element)) return undefined;
  visited.add(element);
  const box = element.getBoundingClientRect();
  const parts = [element, ...((element as HTMLInputElement).labels ?? [])];
  const isVisible = [0.1, 0.5, 0.9].some((x) =>
    [0.1, 0.5, 0.9].some((y) => {
      const hit = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
      return hit !== null && parts.some((part) => part.contains(hit));
    }),
  );
  return { element: `${element.outerHTML.slice(0, 90)} at ${Math.round(box.top)}`, isVisible };
}

/** Runs in the page. */
function unvisitedControls(): string[] {
  const { visited } = window as unknown as { visited: Set<Element> };
  const root = document.querySelector('dialog:modal') ?? document;
  const controls = [...root.querySelectorAll<HTMLElement>('a[href], button, input:not([type=hidden]), summary, [tabindex="0"]')];
  const reachable = controls.filter((control) => control.tabIndex >= 0 && !control.matches(':disabled') && control.checkVisibility({ visibilityProperty: true }));
  return reachable.filter((control) => !visited.has(control)).map((control) => control.outerHTML.slice(0, 90));
}

/** What axe finds. */
export async function violations(page: Page): Promise<unknown[]> {
  // The legacy mode leaves out frames of other origins, of which there are none, and a tab for each analysis.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
  return violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) }));
}

/** What stands out to the right, where anything does. */
export async function overflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > width + 0.5);
    return wide.length > 0 ? wide.map((element) => `${element.tagName} ${element.className}`) : ['the document'];
  });
}

/** What is smaller than 44 pixels. Links in running text are exempt, as in WCAG 2.5.8; a label counts as part of its control. */
export async function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate(findSmallTargets);
}

/** Runs in the page. */
function findSmallTargets(): string[] {
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
