/**
 * InfluxDB line protocol (https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/). Names follow
 * Telegraf's habits: snake case, the host's name in the tag `host`.
 */

export type Field = number | boolean | string | { readonly integer: number };

/** Bytes of a string field are at most 64 KB in InfluxDB: longer text is cut. */
const MAX_TEXT_CHARACTERS = 16_000;

/** A backslash at its end would escape what follows, and there is no way to write it. */
const plain = (text: string): string => text.replaceAll(/\p{C}/gu, ' ').replace(/\\+$/, '');
const escapeMeasurement = (text: string): string => plain(text).replaceAll(/[, ]/g, '\\$&');
const escapeKey = (text: string): string => plain(text).replaceAll(/[,= ]/g, '\\$&');
const escapeText = (text: string): string => text.replaceAll(/["\\]/g, '\\$&').replaceAll(/[\n\r]/g, ' ');

function fieldValue(value: Field): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : null;
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'string') return `"${escapeText(value.slice(0, MAX_TEXT_CHARACTERS))}"`;
  return Number.isSafeInteger(value.integer) ? `${value.integer}i` : null;
}

/** `,key=value` of each, sorted as InfluxDB wants it; without those that are empty. */
export function lineTags(tags: Readonly<Record<string, string>>): string {
  // A map: two keys may be one without what can't be written.
  const clean = new Map(Object.entries(tags).map(([key, value]) => [escapeKey(key), escapeKey(value)]));
  return [...clean]
    .filter(([key, value]) => key !== '' && value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `,${key}=${value}`)
    .join('');
}

/**
 * One line without its end, or null where no field has a value.
 * @param tags from `lineTags`
 * @param nanoseconds below the millisecond, 0 to 999,999: keeps two points of one millisecond apart
 */
export function line(
  measurement: string,
  tags: string,
  fields: Readonly<Record<string, Field | null>>,
  timeMs: number,
  nanoseconds = 0,
): string | null {
  const clean = new Map<string, string>();
  for (const [key, field] of Object.entries(fields)) {
    const value = field === null ? null : fieldValue(field);
    const name = escapeKey(key);
    if (value !== null && name !== '') clean.set(name, value);
  }
  if (clean.size === 0) return null;
  const written = Array.from(clean, ([name, value]) => `${name}=${value}`).join(',');
  const time = `${Math.round(timeMs)}${String(nanoseconds).padStart(6, '0')}`;
  return `${escapeMeasurement(measurement)}${tags} ${written} ${time}`;
}
