// A further server on the demo's database, with other purposes.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment } from './settings.ts';

export type Server = { url: string; stop: () => Promise<void> };

/**
 * Starts a server with the demo's data map, but these purposes, and waits until `health` responds well: until it is ready to
 * serve, or merely runs. It runs no jobs: they would bring everybody's copy at Clerk up to its purposes.
 */
export async function startServer(
  purposes: string,
  { health = '/readyz', brand }: { health?: '/readyz' | '/healthz'; brand?: string } = {},
): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'lethe-server-'));
  const map = join(folder, 'data-map.toml');
  const [tables] = (await readFile(environment['LETHE_DATA_MAP']!, 'utf8')).split('[[purpose]]');
  await writeFile(map, `${tables}\n${purposes}`);
  const url = `http://127.0.0.1:${await freePort()}`;
  const program = environment['LETHE_PROGRAM'] ?? fileURLToPath(new URL('../../target/debug/lethe', import.meta.url));
  const server = spawn(program, ['serve', '--no-work'], {
    env: { ...environment, LETHE_URL: url, LETHE_LISTEN: new URL(url).host, LETHE_DATA_MAP: map, LETHE_LOG: 'warn', ...(brand && { LETHE_BRAND: brand }) },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const stop = async () => {
    server.kill('SIGTERM');
    await exited;
    await rm(folder, { recursive: true });
  };
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (server.exitCode !== null) break;
    if (await fetch(url + health).then(({ ok }) => ok, () => false)) return { url, stop };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop();
  throw new Error('the further server did not start');
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  const { port } = listener.address() as { port: number };
  await new Promise((resolve) => listener.close(resolve));
  return port;
}
