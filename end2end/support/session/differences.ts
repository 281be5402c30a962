// Where the crate `clerk-session` differs from Clerk's SDK on purpose. `crates/clerk-session/src/lib.rs` lists the
// reasons, and a test compares the two lists. A difference that never occurs fails the test, so the list stays true.

import type { Outcome } from './authenticate.ts';
import type { Case, Token } from './cases.ts';

export type Difference = {
  /** The beginning of its entry in the crate's list. */
  entry: string;
  /** For differences that no outcome shows: the file with their test. */
  shownBy?: string;
  /** Removes from the SDK's outcome what this crate leaves out. */
  without?: (theirs: Outcome) => Outcome;
  /** Whether it explains that these outcomes differ. */
  explains?: (drawn: Case, theirs: Outcome, ours: Outcome) => boolean;
};

const name = (line: string) => line.split('=')[0] ?? '';
const isWrite = (method: string) => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method);
const count = (drawn: Case) => Number(drawn.cookies.find(([cookie]) => cookie === '__clerk_redirect_count')?.[1] ?? 0);
const hasHandshake = (drawn: Case) => [...drawn.query, ...drawn.cookies].some(([key]) => key.startsWith('__clerk_handshake'));
/** The session token that a handshake brings. */
function brought(drawn: Case): Token | undefined {
  for (const [, value] of [...drawn.query, ...drawn.cookies]) {
    if (typeof value !== 'object' || !('by' in value)) continue;
    const session = value.lines.findLast(([cookie]) => cookie.startsWith('__session'))?.[1];
    if (typeof session === 'object' && 'claims' in session) return session;
  }
  return undefined;
}

/** Whether this crate refuses to parse one of two session cookies, so that the other one counts. */
function hasAnother(drawn: Case): boolean {
  const tokens = drawn.cookies.map(([cookie, value]) => (/^__session(_|$)/.test(cookie) && typeof value === 'object' && 'claims' in value ? value : null));
  return tokens.some((token) => token?.damage === 'padded') && tokens.some((token) => token && !token.damage && isOfASession(token));
}

function isOfASession({ header, claims }: Token): boolean {
  const isMachines = String(header['typ']).endsWith('at+jwt') || String(claims['sub']).startsWith('mch_');
  return !isMachines && [undefined, null, 'cl_I7d4PD111III'].includes(header['cat'] as null) && Boolean(claims['sid']);
}

const isDevelopment = (drawn: Case) => drawn.application.publishableKey.startsWith('pk_test_');

/** The location without the result of an earlier handshake in the URL that the next one leads back to. */
function withoutResult(location: string): string {
  if (!location.includes('__clerk_handshake')) return location;
  const url = new URL(location);
  for (const name of ['redirect_url', '__clerk_redirect_url']) {
    const back = url.searchParams.get(name);
    if (!back?.includes('__clerk_handshake')) continue;
    const rest = new URL(back);
    for (const parameter of ['__clerk_handshake', '__clerk_handshake_nonce']) rest.searchParams.delete(parameter);
    url.searchParams.set(name, rest.href);
  }
  return url.href;
}

export const differences: Difference[] = [
  {
    entry: 'A handshake counts only in the browser that was sent on it',
    without: (theirs) =>
      theirs.status === 'handshake' && theirs.location ? { ...theirs, location: withoutResult(theirs.location) } : theirs,
    // The SDK was given the request without the foreign handshake.
    explains: (drawn, theirs, ours) =>
      drawn.traits.has('foreign handshake') &&
      theirs.status === 'signed-out' &&
      ours.status === 'handshake' &&
      ours.reason === theirs.reason,
  },
  {
    entry: 'A write with an expired token and a refresh cookie is refreshed on the server.',
    explains: (drawn, theirs, ours) =>
      isWrite(drawn.method) &&
      theirs.reason === 'session-token-expired-refresh-non-eligible-non-get' &&
      (ours.status === 'signed-in' || /^(session-token-expired-refresh-|session-token-pending|token-type)/.test(ours.reason ?? '')),
  },
  {
    entry: 'The redirect counter ends a loop at three *or more*',
    explains: (drawn, theirs, ours) =>
      count(drawn) > 3 && theirs.status === 'handshake' && ours.status === 'signed-out' && ours.reason === theirs.reason,
  },
  {
    entry: 'Tokens are read strictly',
    explains: (drawn, theirs, ours) =>
      drawn.traits.has('padded') &&
      (ours.status !== 'signed-in' || hasAnother(drawn) || (brought(drawn)?.damage === 'padded' && ['signed-in', 'clean'].includes(theirs.status))),
  },
  {
    entry: 'The category of a token is checked wherever a session token is accepted',
    explains: (drawn, theirs, ours) => {
      const isIn = theirs.status === 'signed-in' || theirs.reason === 'primary-domain-cross-origin-sync';
      const token = brought(drawn);
      // The handshake is ignored, and the request's cookies decide.
      if (token && !isOfASession(token) && (isIn || theirs.status === 'clean')) return true;
      return drawn.traits.has('no session id') && ours.reason === 'token-type-mismatch' && isIn;
    },
  },
  {
    entry: 'A pending session (`sts`) is signed out here',
    explains: (drawn, theirs, ours) =>
      drawn.traits.has('pending') &&
      ours.reason === 'session-token-pending' &&
      (theirs.status === 'signed-in' || theirs.reason === 'primary-domain-cross-origin-sync'),
  },
  { entry: "A nonce that can't be resolved", shownBy: 'crates/clerk-session/src/tests/stand_in/handshake.rs' },
  {
    entry: "Only Clerk's own cookies, whose names begin with `__`, are set from a handshake",
    without: (theirs) => ({ ...theirs, cookies: theirs.cookies.filter((line) => name(line).startsWith('__')) }),
  },
  {
    entry: 'A handshake token that can\'t be used on a development instance',
    explains: (drawn, theirs, ours) =>
      isDevelopment(drawn) && hasHandshake(drawn) && theirs.status === 'throws' && ours.status === 'signed-out',
  },
  { entry: 'Keys are fetched again in the background', shownBy: 'crates/clerk-session/src/key_cache.rs' },
  {
    entry: 'The public address is a setting.',
    explains: (drawn, theirs, ours) =>
      drawn.traits.has('another address') &&
      theirs.status === ours.status &&
      theirs.reason === ours.reason &&
      theirs.location !== null &&
      theirs.location !== ours.location,
  },
  {
    entry: 'A primary domain responds only to satellites that it knows',
    explains: (drawn, theirs, ours) =>
      drawn.traits.has('unknown satellite') &&
      // This crate never responds to an unknown satellite and ignores the parameter.
      ours.reason !== 'primary-responds-to-syncing' &&
      ours.reason !== theirs.reason &&
      (['primary-responds-to-syncing', 'primary-domain-cross-origin-sync'].includes(theirs.reason ?? '') ||
        (theirs.status === 'throws' && isDevelopment(drawn))),
  },
  { entry: 'No organization is activated by URL', shownBy: 'crates/clerk-session/src/tests/differences.rs' },
  {
    entry: "A handshake's response carries no `Access-Control-Allow-Origin: null`",
    without: (theirs) => ({ ...theirs, allowOrigin: null }),
  },
  { entry: "Refreshing sends those of the browser's headers that describe it", shownBy: 'crates/clerk-session/src/tests/differences.rs' },
];
