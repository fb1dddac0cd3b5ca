import type { Batch, Metric, Pair } from './client.ts';

/** Of one log-batch request (MLflow, REST API, "Log Batch: Request Limits"). */
export const MOST_METRICS = 1000;
export const MOST_PAIRS = 100;
export const MOST_IN_ALL = 1000;
/** 1 MB a request; a metric has at most some 350 bytes. */
export const MOST_REQUEST_BYTES = 1_000_000;
/** Keys, and values of params and of tags that are logged: what every server takes, old ones too. */
export const KEY_CHARACTERS = 250;
export const VALUE_CHARACTERS = 250;
/** Values of tags that a run or a version is created with. */
export const TAG_BYTES = 5000;

/** Letters, digits, _ - . / and blanks; others become _. No two keys of ours differ in those alone. */
export const keyOf = (text: string): string =>
  cut(
    text
      .replaceAll(/[^\w.\-/ ]/g, '_')
      // A key may be a file there: no empty part, and none that leads elsewhere.
      .split('/')
      .map((part) => (/^\.*$/.test(part) ? '_' : part))
      .join('/'),
    KEY_CHARACTERS,
  );

/** At most so many UTF-16 units (so no more characters than that), with no half of a pair at its end. */
export function cut(text: string, characters: number): string {
  if (text.length <= characters) return text;
  return `${text.slice(0, characters - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** At most so many bytes of UTF-8. */
export function cutBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  let end = Math.min(text.length, bytes - 3);
  while (Buffer.byteLength(text.slice(0, end)) > bytes - 3) end -= 16;
  return `${text.slice(0, Math.max(0, end)).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** A text that may have no value: an empty one is left out, since some servers refuse it. */
export const pairs = (
  entries: Readonly<Record<string, string | number | boolean | null | undefined>>,
  cutTo: (text: string) => string = (text) => cut(text, VALUE_CHARACTERS),
): Pair[] =>
  Object.entries(entries).flatMap(([key, value]) =>
    value === null ||
    value === undefined ||
    value === '' ||
    (typeof value === 'number' && !Number.isFinite(value))
      ? []
      : [{ key: keyOf(key), value: cutTo(String(value)) }],
  );

/** What is not a finite number is left out. */
export const metrics = (
  values: Readonly<Record<string, number | null | undefined>>,
  timestamp: number,
  step: number,
): Metric[] =>
  Object.entries(values).flatMap(([key, value]) =>
    typeof value === 'number' && Number.isFinite(value) ? [{ key: keyOf(key), value, timestamp, step }] : [],
  );

/** Always the same batches of the same things: a number says how far one has come. */
export function batchesOf(all: Batch): Batch[] {
  const batches: Batch[] = [];
  for (let at = 0; at < Math.max(all.params.length, all.tags.length); at += MOST_PAIRS) {
    batches.push({
      metrics: [],
      params: all.params.slice(at, at + MOST_PAIRS),
      tags: all.tags.slice(at, at + MOST_PAIRS),
    });
  }
  for (let at = 0; at < all.metrics.length; at += MOST_METRICS) {
    batches.push({ metrics: all.metrics.slice(at, at + MOST_METRICS), params: [], tags: [] });
  }
  return batches;
}
