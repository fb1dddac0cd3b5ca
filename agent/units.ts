/** Durations, rates and sizes as people write them. Each parser returns null for what it does not understand. */

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** "500ms", "5s", "15m", "6h", "14d" in milliseconds; a bare number is seconds. */
export function parseDurationMs(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d|w)?$/.exec(text.trim());
  if (match === null) return null;
  return Number(match[1]) * (DURATION_MS[match[2] ?? 's'] as number);
}

const PERIOD_DAYS: Readonly<Record<string, number>> = {
  hour: 1 / 24,
  h: 1 / 24,
  day: 1,
  d: 1,
  week: 7,
  w: 7,
  month: 30.4375,
};

/** "1/day", "2/week", "1/month", "1/10m": events a day. */
export function parseRatePerDay(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(?:\/|per)\s*(.+)$/.exec(text.trim());
  if (match === null) return null;
  const period = (match[2] as string).trim();
  const days = PERIOD_DAYS[period] ?? (parseDurationMs(period) ?? 0) / 86_400_000;
  return days > 0 ? Number(match[1]) / days : null;
}

/** "512MB", "64 KiB", "1GB" in bytes. */
export function parseBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(k|m|g)?(i?)b?$/i.exec(text.trim());
  if (match === null) return null;
  const power = { '': 0, k: 1, m: 2, g: 3 }[(match[2] ?? '').toLowerCase()] ?? 0;
  return Math.round(Number(match[1]) * (match[3] === '' ? 1000 : 1024) ** power);
}
