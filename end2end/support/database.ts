// Reads the sample application's rows from Postgres, to compare pages and exports with them.

import pg from 'pg';
import { settings } from './settings.ts';

export type Row = Record<string, unknown>;

/** Every table with personal data, and the column with the owner's id. */
export const tables = {
  users: 'clerk_id',
  posts: 'author_id',
  comments: 'author_id',
  preferences: 'user_id',
  profiles: 'user_id',
  projects: 'user_id',
  reports: 'user_id',
  experiments: 'user_id',
  pipelines: 'user_id',
  datasets: 'user_id',
  api_keys: 'user_id',
  activity_logs: 'user_id',
  usage_logs: 'user_id',
} as const;

export type Table = keyof typeof tables;
export const tableNames = Object.keys(tables) as Table[];
export const blogTables: Table[] = ['users', 'posts', 'comments', 'preferences'];

const pool = new pg.Pool({
  connectionString: settings.databaseUrl,
  options: '-c timezone=UTC',
  max: 2,
  // An idle connection must not keep a finished test run alive.
  allowExitOnIdle: true,
});

export async function query<T extends pg.QueryResultRow = Row>(text: string, values: unknown[] = []): Promise<T[]> {
  return (await pool.query<T>(text, values)).rows;
}

async function json(text: string, values: unknown[]): Promise<string> {
  const [row] = await query<{ text: string }>(`select coalesce(json_agg(r order by r.id), '[]')::text as text from (${text}) r`, values);
  return row!.text;
}

/** All rows of a person as one text: equal texts mean that no byte of any row changed. */
export async function canonical(id: string): Promise<string> {
  const parts: string[] = [];
  for (const table of tableNames) {
    parts.push(`${table} ${await json(`select * from public.${table} where ${tables[table]} = $1`, [id])}`);
  }
  return parts.join('\n');
}

/** All rows of a person by table, in the order of their ids. */
export async function rows(id: string): Promise<Record<Table, Row[]>> {
  const all = {} as Record<Table, Row[]>;
  for (const table of tableNames) {
    all[table] = JSON.parse(await json(`select * from public.${table} where ${tables[table]} = $1`, [id])) as Row[];
  }
  return all;
}

/** Other people's comments under a person's posts. */
export async function commentsOfOthers(id: string): Promise<Row[]> {
  const text = `select c.* from public.comments c join public.posts p on p.id = c.post_id where p.author_id = $1 and c.author_id <> $1`;
  return JSON.parse(await json(text, [id])) as Row[];
}

export async function comments(ids: unknown[]): Promise<Row[]> {
  return JSON.parse(await json('select * from public.comments where id = any($1)', [ids])) as Row[];
}

/** What the export must contain: the same rows without the columns that the data map excludes. */
export function exported(all: Record<Table, Row[]>): Record<Table, Row[]> {
  const withoutSecret = all.api_keys.map(({ secret_hash: _, ...rest }) => rest);
  return { ...all, api_keys: withoutSecret };
}

export function total(all: Record<Table, Row[]>): number {
  return tableNames.reduce((sum, table) => sum + all[table].length, 0);
}

/** A person's consent decisions, the newest first. */
export async function ledger(id: string): Promise<{ purpose: string; granted: boolean }[]> {
  return query(
    `select entry.purpose, entry.granted from lethe.consent_entry entry
     join lethe.data_subject person on person.id = entry.subject_id
     where person.clerk_id = $1 order by entry.id desc`,
    [id],
  );
}
