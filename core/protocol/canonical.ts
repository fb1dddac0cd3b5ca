/** Deeper nesting is none of ours; it would only cost stack. */
const MOST_DEPTH = 32;

/**
 * Canonical JSON (RFC 8785): one text a value, with sorted keys, no white space, and numbers as ECMAScript writes them.
 * @throws TypeError for what JSON can't hold (NaN, undefined, lone surrogates), or nests too deeply
 */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > MOST_DEPTH) throw new TypeError(`nested deeper than ${MOST_DEPTH}`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${value} is no JSON number`);
    return JSON.stringify(value);
  }
  if (typeof value === 'string') return canonicalText(value);
  if (Array.isArray(value)) return `[${value.map((one) => canonicalJson(one, depth + 1)).join(',')}]`;
  if (typeof value !== 'object') throw new TypeError(`${typeof value} is no JSON value`);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, one]) => `${canonicalText(key)}:${canonicalJson(one, depth + 1)}`).join(',')}}`;
}

function canonicalText(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('a lone surrogate is no character');
  return JSON.stringify(text);
}

/**
 * Reads canonical JSON, and nothing else: a text has one reading. Duplicate keys, numbers that can't be held, other
 * spellings of the same characters and white space all fail the one comparison.
 * @returns the value, or why it is none
 */
export function parseCanonical(text: string): { readonly value: unknown } | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: 'it is not JSON' };
  }
  try {
    if (canonicalJson(value) === text) return { value };
  } catch (error) {
    return { fault: error instanceof TypeError ? error.message : 'it is not canonical JSON' };
  }
  return { fault: 'it is not canonical JSON (RFC 8785): keys sorted and once each, no white space' };
}
