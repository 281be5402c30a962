// What must remain after a deletion, by the rules of the sample application's data map.

import { blogTables, rows, tableNames, type Row, type Table } from './database.ts';
import { expect } from './test.ts';

type All = Record<Table, Row[]>;

const SOFT_DELETED: Table[] = ['projects', 'reports', 'experiments', 'pipelines', 'datasets'];
const KEPT: Table[] = ['activity_logs', 'usage_logs'];
const LABELS: Record<Table, string> = {
  users: 'Blog account',
  posts: 'Posts',
  comments: 'Comments',
  preferences: 'Blog preferences',
  profiles: 'Lab profile',
  projects: 'Projects',
  reports: 'Reports',
  experiments: 'Experiments',
  pipelines: 'Pipelines',
  datasets: 'Datasets',
  api_keys: 'API keys',
  activity_logs: 'Activity log',
  usage_logs: 'Usage log',
};

/** Compares a person's rows with those from before the deletion. */
export async function expectErased(id: string, before: All, since: Date): Promise<void> {
  const after = await rows(id);
  for (const table of blogTables) expect(after[table], table).toEqual([]);
  for (const table of KEPT) expect(after[table], table).toEqual(before[table]);
  expectStamped('profiles', ['deleted_at', 'updated_at'], { email: null });
  for (const table of SOFT_DELETED) expectStamped(table, ['deleted_at', 'updated_at']);
  expectStamped('api_keys', ['revoked_at']);

  // Every row is still there, and only these columns have changed.
  function expectStamped(table: Table, columns: string[], set: Row = {}): void {
    const stamps = after[table].map((row) => columns.map((column) => new Date(String(row[column])).getTime()));
    const wanted = before[table].map((row, index) => ({
      ...row,
      ...set,
      ...Object.fromEntries(columns.map((column) => [column, after[table][index]?.[column]])),
    }));
    expect(after[table], table).toEqual(wanted);
    for (const stamp of stamps.flat()) expect(stamp, `${table} is stamped now`).toBeGreaterThanOrEqual(since.getTime());
  }
}

/** Checks what a plan or a receipt says about each kind of data that the person has. */
export function expectLines(found: Record<string, [string, string]>, before: All, others: number, isPlan: boolean): void {
  const wanted: Record<string, [string, unknown]> = {};
  for (const table of tableNames.filter((name) => before[name].length > 0)) {
    wanted[LABELS[table]] = [before[table].length.toLocaleString('en-US'), expect.stringMatching(becomes(table, isPlan))];
  }
  if (others > 0) wanted['Comments by others'] = [others.toLocaleString('en-US'), expect.stringMatching(/^Kept: they belong to other people\./)];
  if (isPlan) wanted['Sign-in account'] = ['1', 'Deleted. You’ll be signed out everywhere.'];
  expect(found).toEqual(wanted);
}

function becomes(table: Table, isPlan: boolean): RegExp {
  if (blogTables.includes(table)) return /^Deleted$/;
  if (SOFT_DELETED.includes(table)) return isPlan ? /^Hidden now, deleted on \d+ \w+ \d{4} What stays keeps your user ID\.$/ : /^Hidden, will be deleted on \d+ \w+ \d{4} What stays keeps your user ID\.$/;
  if (KEPT.includes(table)) return /^Kept until \d+ \w+ \d{4} .*Art\. /;
  return table === 'profiles' ? /^Email removed Display name is kept: it credits you as the author of published results What stays keeps your user ID\.$/ : /^Revoked\. The entry itself is kept\. What stays keeps your user ID\.$/;
}
