import { defineConfig } from '@playwright/test';
import { settings, workers } from './support/settings.ts';

// Chromium's sandbox doesn't work as root, and in some containers not at all.
const sandbox = process.getuid?.() !== 0 && !process.env['CHROMIUM_NO_SANDBOX'];

export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results',
  // The tests of one worker share one server, one database and one Clerk; no other worker uses these.
  workers,
  fullyParallel: true,
  retries: 0,
  forbidOnly: true,
  // Generous: the tests may share two cores with the server, the database and other programs.
  timeout: 180_000,
  expect: { timeout: 20_000 },
  reporter: [['list'], ['json', { outputFile: 'test-results/report.json' }]],
  use: {
    baseURL: settings.url,
    actionTimeout: 30_000,
    navigationTimeout: 45_000,
    locale: 'en-GB',
    timezoneId: 'UTC',
    viewport: { width: 1280, height: 900 },
    contextOptions: { reducedMotion: 'reduce' },
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env['CHROMIUM_PATH'] || '/usr/bin/chromium',
      chromiumSandbox: sandbox,
      args: [
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
