// A database that was restored from a backup serves nobody until who was erased since is erased again.

import { query } from '../support/database.ts';
import { inspect } from '../support/inspection.ts';
import * as pages from '../support/pages.ts';
import { newcomer } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { expect, test } from '../support/test.ts';

type Tombstone = { digest: Buffer; erased_at: Date; key_id: string | null };

test('page during maintenance says so, and nothing else', async ({ page, another, complaints }) => {
  complaints.tolerate(/status of 503/);
  await pages.signIn(page, await newcomer('blog'));
  await pages.deleteAccount(page);
  // As in a database from before the deletion: the store alone has its tombstone.
  const [tombstone] = await query<Tombstone>(
    `delete from lethe.tombstone where digest = (select digest from lethe.tombstone order by erased_at desc limit 1)
     returning digest, erased_at, key_id`,
  );
  const server = await startServer('', { health: '/healthz' });
  try {
    const visitor = await another({ baseURL: server.url });
    for (const path of ['/', '/receipt', '/delete']) {
      const response = await visitor.goto(path);
      expect(response!.status(), path).toBe(503);
      await expect(visitor.getByRole('heading', { level: 1 })).toHaveText('Back soon');
    }
    await inspect(visitor, 'maintenance');
  } finally {
    await server.stop();
    const { digest, erased_at: at, key_id: key } = tombstone!;
    await query('insert into lethe.tombstone (digest, erased_at, key_id) values ($1, $2, $3)', [digest, at, key]);
  }
});
