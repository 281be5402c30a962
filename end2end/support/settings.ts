// Addresses and keys, from the environment or from the `run.env` of a running `cargo xtask run`.

import { existsSync, readFileSync } from 'node:fs';

const file = process.env['LETHE_RUN_ENV'] ?? new URL('../../.lethe/run.env', import.meta.url);

function fromFile(): Record<string, string> {
  if (process.env['LETHE_URL'] || !existsSync(file)) return {};
  const lines = readFileSync(file, 'utf8').split('\n').filter((line) => /^[A-Z_]+=/.test(line));
  return Object.fromEntries(
    lines.map((line) => {
      const [name = '', value = ''] = line.split(/=(.*)/s);
      return [name, value.startsWith("'") ? value.slice(1, -1).replaceAll(`'\\''`, "'") : value];
    }),
  );
}

const values = { ...fromFile(), ...process.env };

function needed(name: string): string {
  const value = values[name];
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
