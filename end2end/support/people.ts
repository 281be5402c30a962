// People of the sample application: those in the sample data, and new ones for tests that need a person of their own.

import { randomBytes } from 'node:crypto';
import * as clerk from './clerk.ts';
import { query } from './database.ts';

export type Product = 'blog' | 'lab';

export type Person = { id: string; name: string; email: string };

type Inhabitant = Person & { place: number; blog: boolean; lab: boolean; known: boolean };

/** Everyone in the sample data who has not been deleted, by number, which follows from their rows' timestamps. */
async function inhabitants(): Promise<Inhabitant[]> {
  return query<Inhabitant>(
    `select place::int, id, min(email) as email, min(name) as name, bool_or(blog) as blog, bool_or(lab) as lab,
       exists (select from lethe.data_subject s where s.clerk_id = people.id) as known
     from (
       select extract(epoch from created_at - timestamptz '2024-01-01 08:00:00+00') / 420 as place,
         clerk_id as id, email, name, true as blog, false as lab from public.users
       union all
       select extract(epoch from created_at - timestamptz '2024-01-02 10:00:00+00') / 420,
         user_id, email, display_name, false, true from public.profiles where deleted_at is null
     ) people
     where place < 100000
     group by place, id order by place`,
  );
}

/**
 * Returns a user of the product whom Lethe doesn't know yet, and their neighbour, with whom they share no row. Users of
 * both products come last. Ada and Grace are left for people who try the demo.
 */
export async function stranger(product: Product): Promise<{ person: Person; neighbour: Person }> {
  const people = await inhabitants();
  const pairs = people
    .filter((person) => person[product] && !person.known && person.place > 1)
    .map((person) => ({ person, neighbour: people.find((other) => other.place === person.place + 1) }))
    .filter((pair): pair is { person: Inhabitant; neighbour: Inhabitant } => pair.neighbour !== undefined);
  const pair = pairs.find(({ person }) => !(person.blog && person.lab)) ?? pairs[0];
  if (!pair) throw new Error(`no unused person of the ${product} is left: run \`cargo xtask reset\` and start the demo again`);
  return pair;
}

/** Creates a person with a few rows in every table of their product. */
export async function newcomer(product: Product, firstName = 'Nova', lastName = 'Newcomer'): Promise<Person> {
  const email = `${firstName}.${randomBytes(4).toString('hex')}@example.org`.toLowerCase();
  const { id } = await clerk.createUser(firstName, lastName, email, [product]);
  const name = `${firstName} ${lastName}`;
  for (const text of product === 'blog' ? BLOG : LAB) await query(text, text.includes('$2') ? [id, email, name] : [id]);
  return { id, name, email };
}

const BLOG = [
  `insert into public.users (clerk_id, email, name) values ($1, $2, $3)`,
  `insert into public.preferences (user_id, theme, newsletter) values ($1, 'dark', true)`,
  `insert into public.posts (author_id, title, body)
   select $1, 'Post ' || r, 'Written to be deleted.' from generate_series(1, 128) r`,
  `insert into public.comments (post_id, author_id, body)
   select id, author_id, 'A comment of my own.' from public.posts where author_id = $1 order by id limit 9`,
];

const LAB = [
  `insert into public.profiles (user_id, email, display_name) values ($1, $2, $3)`,
  `insert into public.projects (user_id, name) select $1, 'Project ' || r from generate_series(1, 3) r`,
  `insert into public.reports (project_id, user_id, title, summary)
   select id, user_id, 'Report on ' || name, 'Two samples.' from public.projects where user_id = $1`,
  `insert into public.experiments (report_id, user_id, hypothesis) select id, user_id, 'It settles' from public.reports where user_id = $1`,
  `insert into public.pipelines (experiment_id, user_id, name) select id, user_id, 'settle-' || id from public.experiments where user_id = $1`,
  `insert into public.datasets (pipeline_id, user_id, name, size_bytes) select id, user_id, name, 4096 from public.pipelines where user_id = $1`,
  `insert into public.api_keys (user_id, label, secret_hash) values ($1, 'laptop', '\\x0102')`,
  `insert into public.activity_logs (user_id, action, ip_address) select $1, 'signed in', '198.51.100.7' from generate_series(1, 1204) r`,
  `insert into public.usage_logs (user_id, metric, quantity) select $1, 'requests', r / 8.0 from generate_series(1, 40) r`,
];
