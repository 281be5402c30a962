// Reduces Clerk's OpenAPI descriptions (https://github.com/clerk/openapi-specs, MIT) to the operations that the stand-in
// has, and writes them into its folder `openapi`: `npm run openapi -- path/to/the/three/descriptions`.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const [source] = process.argv.slice(2);
if (!source) throw new Error('say where the descriptions are: npm run openapi -- FOLDER');

const target = fileURLToPath(new URL('../crates/clerk-stand-in/openapi/', import.meta.url));
const operations = JSON.parse(readFileSync(join(target, 'operations.json'), 'utf8'));

/** What only readers need. Names of properties may be the same words, so those aren't looked at. */
const WORDS = new Set(['description', 'summary', 'title', 'example', 'examples', 'tags', 'externalDocs', 'deprecated', 'default', 'security']);
const NAMES = new Set(['properties', 'schemas', 'responses', 'parameters', 'content', 'headers', 'paths', 'x-webhooks']);

function reduced(value, isMapOfNames = false) {
  if (Array.isArray(value)) return value.map((item) => reduced(item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => isMapOfNames || !(WORDS.has(key) || (key.startsWith('x-') && !NAMES.has(key))))
      .map(([key, inner]) => [key, reduced(inner, !isMapOfNames && NAMES.has(key))]),
  );
}

function* references(value) {
  if (value === null || typeof value !== 'object') return;
  if (typeof value.$ref === 'string') yield value.$ref;
  for (const inner of Object.values(value)) yield* references(inner);
}

/** Everything that `root` leads to, under `components`, in the order of names. */
function reachable(document, root) {
  const found = new Map();
  const open = [...references(root)];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    const value = next.replace('#/', '').split('/').reduce((place, name) => place[name], document);
    found.set(next, value);
    open.push(...references(value));
  }
  const components = {};
  for (const name of [...found.keys()].sort()) {
    const [, , kind, key] = name.split('/');
    (components[kind] ??= {})[key] = found.get(name);
  }
  return components;
}

for (const { file, extract, prefix, place, entries } of operations) {
  const document = parse(readFileSync(join(source, file), 'utf8'));
  const paths = {};
  for (const entry of entries) {
    const [method, path] = entry.split(' ');
    const operation = document[place]?.[path.slice(prefix.length)]?.[method.toLowerCase()];
    if (!operation) throw new Error(`${file} has no ${entry}`);
    (paths[path] ??= {})[method.toLowerCase()] = reduced(operation);
  }
  const { openapi, info } = document;
  const components = reachable(reduced(document), paths);
  const result = { openapi, info: { title: info.title, version: info.version }, paths, components };
  writeFileSync(join(target, extract), `${JSON.stringify(result, null, 1)}\n`);
  console.log(`${extract}: ${entries.length} operations, ${Object.keys(components.schemas ?? {}).length} schemas`);
}
