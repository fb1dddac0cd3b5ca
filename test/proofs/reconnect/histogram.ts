/** Times of a crowd, in ms. */
export interface Spread {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly lastMs: number;
  readonly mostInASecond: number;
  /** How many in each second, from the first on. */
  readonly perSecond: readonly number[];
}

/** @param timesMs from 0 on */
export function spreadOf(timesMs: readonly number[]): Spread {
  const sorted = [...timesMs].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  const perSecond = Array.from({ length: Math.floor((sorted.at(-1) ?? 0) / 1000) + 1 }, () => 0);
  for (const ms of sorted) {
    const second = Math.floor(ms / 1000);
    perSecond[second] = (perSecond[second] ?? 0) + 1;
  }
  // Of any second, not only of those of the clock.
  let mostInASecond = 0;
  for (let first = 0, i = 0; i < sorted.length; i++) {
    while ((sorted[i] as number) - (sorted[first] as number) >= 1000) first++;
    mostInASecond = Math.max(mostInASecond, i - first + 1);
  }
  return { count: sorted.length, p50Ms: at(0.5), p95Ms: at(0.95), lastMs: at(1), mostInASecond, perSecond };
}
