// Fixtures for all tests: a console that must stay silent, further browsers, and a way to wait for hydration.

import { test as base, expect, type BrowserContext, type BrowserContextOptions, type Page } from '@playwright/test';
import { settings } from './settings.ts';

/** Collects what browsers report about Lethe's pages: errors, warnings, uncaught exceptions, CSP violations. */
export class Complaints {
  readonly #heard: string[] = [];
  readonly #tolerated: RegExp[] = [];

  /** Ignores messages that a test causes on purpose. */
  tolerate(...patterns: RegExp[]): void {
    this.#tolerated.push(...patterns);
  }

  async listen(context: BrowserContext, withScript = true): Promise<void> {
    // The page preloads its script, which then doesn't run.
    if (!withScript) this.tolerate(/was preloaded using link preload but not used/);
    context.on('console', (message) => {
      const { origin, pathname } = new URL(message.location().url || settings.url);
      if (origin === settings.url && ['error', 'warning'].includes(message.type())) {
        this.#heard.push(`${message.type()}: ${message.text()} (${pathname})`);
      }
    });
    context.on('weberror', (error) => this.#heard.push(`uncaught: ${error.error().message}`));
    await context.addInitScript(noteHydration);
  }

  get unexpected(): string[] {
    return this.#heard.filter((complaint) => !this.#tolerated.some((pattern) => pattern.test(complaint)));
  }
}

/** Runs in the page. Islands are hydrated in the microtasks after the module is instantiated. */
function noteHydration(): void {
  for (const name of ['instantiate', 'instantiateStreaming'] as const) {
    const original = WebAssembly[name] as (...values: unknown[]) => Promise<unknown>;
    Object.assign(WebAssembly, {
      [name]: async (...values: unknown[]) => {
        const made = await original.apply(WebAssembly, values);
        setTimeout(() => Object.assign(window, { isHydrated: true }), 0);
        return made;
      },
    });
  }
}

/** Waits until the islands are hydrated. */
export async function hydrated(page: Page): Promise<void> {
  await expect
    .poll(() => page.evaluate(() => 'isHydrated' in window), { message: 'the islands are hydrated', timeout: 60_000 })
    .toBe(true);
}

type Fixtures = {
  complaints: Complaints;
  /** Opens a page in another browser context, with cookies of its own. */
  another: (options?: BrowserContextOptions) => Promise<Page>;
};

export const test = base.extend<Fixtures>({
  complaints: [
    async ({ context, javaScriptEnabled }, use) => {
      const complaints = new Complaints();
      await complaints.listen(context, javaScriptEnabled);
      await use(complaints);
      expect(complaints.unexpected, 'the console stays silent').toEqual([]);
    },
    { auto: true },
  ],
  another: async ({ browser, complaints, javaScriptEnabled }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (options = {}) => {
      const context = await browser.newContext(options);
      contexts.push(context);
      await complaints.listen(context, options.javaScriptEnabled ?? javaScriptEnabled);
      return context.newPage();
    });
    for (const context of contexts) await context.close();
  },
});

export { expect };
