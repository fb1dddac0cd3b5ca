/** A straight line through a series, and how sure its slope is. */
export interface Trend {
  readonly slope: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Least squares; 95 % confidence by Newey and West (1987, Econometrica 55:703), because what a process uses now is much
 * like what it used a minute ago.
 * @param y one value for each x; at least 3
 */
export function trend(x: readonly number[], y: readonly number[]): Trend {
  const n = x.length;
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / n;
  const [mx, my] = [mean(x), mean(y)];
  const dx = x.map((value) => value - mx);
  const sxx = dx.reduce((sum, d) => sum + d * d, 0);
  const slope = dx.reduce((sum, d, i) => sum + d * ((y[i] as number) - my), 0) / sxx;
  const u = dx.map((d, i) => d * ((y[i] as number) - my - slope * d));
  const lags = Math.floor(4 * (n / 100) ** (2 / 9)) + 1;
  let variance = u.reduce((sum, a) => sum + a * a, 0);
  for (let lag = 1; lag <= Math.min(lags, n - 1); lag++) {
    let covariance = 0;
    for (let i = lag; i < n; i++) covariance += (u[i] as number) * (u[i - lag] as number);
    variance += 2 * (1 - lag / (lags + 1)) * covariance;
  }
  const half = 2 * (Math.sqrt(Math.max(0, (variance * n) / (n - 2))) / sxx);
  return { slope, low: slope - half, high: slope + half };
}
