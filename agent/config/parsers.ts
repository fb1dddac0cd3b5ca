import { isCronExpression } from './cron.ts';

/** What a setting may be: each gives the value the agent works with, or undefined for what it can't take. */

export const text = (raw: unknown): string | undefined =>
  typeof raw === 'string' && raw !== '' ? raw : typeof raw === 'number' ? String(raw) : undefined;
export const bounded =
  (parse: (text: string) => number | null, low: number, high: number) =>
  (raw: unknown): number | undefined => {
    const value = typeof raw === 'string' || typeof raw === 'number' ? parse(String(raw)) : null;
    return value === null || value < low || value > high ? undefined : value;
  };
export const parseCount = (text: string): number | null => (/^\d{1,9}$/.test(text) ? Number(text) : null);
export const oneOf =
  (...choices: readonly string[]) =>
  (raw: unknown): string | undefined =>
    typeof raw === 'string' && choices.includes(raw) ? raw : undefined;
export const boolean = (raw: unknown): boolean | undefined =>
  raw === true || raw === 'true' ? true : raw === false || raw === 'false' ? false : undefined;
export const textList = (raw: unknown): string[] | undefined =>
  Array.isArray(raw) && raw.every((entry) => typeof entry === 'string') ? [...raw] : undefined;
export const topicLevel = (raw: unknown): string | undefined => {
  const value = text(raw);
  return value !== undefined && /^[^/+#\p{C}]{1,64}$/u.test(value) ? value : undefined;
};
export const labels = (raw: unknown): Record<string, string> | undefined => {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return undefined;
  const entries = Object.entries(raw).map(([key, value]) => [key, text(value)] as const);
  const fine =
    entries.length <= 32 &&
    entries.every(([key, value]) => /^[\w.-]{1,64}$/.test(key) && value !== undefined);
  return fine ? (Object.fromEntries(entries) as Record<string, string>) : undefined;
};

/** Whoever wants it further away puts a proxy in front, which can ask for a password. */
export const loopbackAddress = (text: string): { host: string; port: number } | undefined => {
  const [, host, port] = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\]):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) return undefined;
  return { host: host === '[::1]' ? '::1' : host, port: Number(port) };
};

export const cron = (raw: unknown): string | undefined =>
  typeof raw === 'string' && isCronExpression(raw) ? raw.trim() : undefined;
