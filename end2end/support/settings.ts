// Addresses and keys, from the environment or from the `run.env` of a running demo.

import { existsSync, readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One `run.env` per demo. */
const files = (process.env['LETHE_RUN_ENV'] ?? fileURLToPath(new URL('../../.lethe/run.env', import.meta.url))).split(
  delimiter,
);

/** How many workers can run tests at a time: each needs a demo of its own. */
export const workers = files.length;

function fromFile(): Record<string, string> {
  const file = files[Number(process.env['TEST_PARALLEL_INDEX'] ?? 0)];
  if (process.env['LETHE_URL'] || !file || !existsSync(file)) return {};
  const lines = readFileSync(file, 'utf8').split('\n').filter((line) => /^[A-Z_]+=/.test(line));
  return Object.fromEntries(
    lines.map((line) => {
      const [name = '', value = ''] = line.split(/=(.*)/s);
      return [name, value.startsWith("'") ? value.slice(1, -1).replaceAll(`'\\''`, "'") : value];
    }),
  );
}

/** All variables of the demo and of this process. */
export const environment: Record<string, string | undefined> = { ...fromFile(), ...process.env };

function needed(name: string): string {
  const value = environment[name];
  if (!value) throw new Error(`${name} is not set: start \`cargo xtask run\`, or run \`cargo xtask test --only browser\``);
  return value;
}

export const settings = {
  url: needed('LETHE_URL'),
  databaseUrl: needed('DATABASE_URL'),
  clerkUrl: needed('CLERK_API_URL'),
  clerkSecretKey: needed('CLERK_SECRET_KEY'),
  clerkPublishableKey: needed('CLERK_PUBLISHABLE_KEY'),
  inboxUrl: needed('INBOX_URL'),
};
