import type { Health } from './http.ts';
import type { AgentState } from './status.ts';

/** So many intervals without a sample are more than a hiccup; and never less than this. */
const MISSED_SAMPLES = 3;
const LEAST_SILENCE_MS = 30_000;

/**
 * What a supervisor asks: does it live (the loop really samples), and does it do its work (a model watches).
 * @param silentMs since the last sample that was really taken
 */
export function health(
  state: () => AgentState,
  intervalMs: number,
  silentMs: () => number,
): { healthz: () => Health; readyz: () => Health } {
  const healthz = (): Health => {
    const silent = silentMs();
    const ok = silent <= Math.max(LEAST_SILENCE_MS, MISSED_SAMPLES * intervalMs);
    return { ok, says: ok ? 'ok' : `no sample for ${Math.round(silent / 1000)} s` };
  };
  return {
    healthz,
    readyz: () => {
      const alive = healthz();
      if (!alive.ok) return alive;
      const now = state();
      return { ok: now !== 'warming-up', says: now };
    },
  };
}
