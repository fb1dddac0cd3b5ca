import type { HostState } from './host.ts';

/** Dead-man: who has been silent for longer than he ever is. Pure. */

/** Batches of telemetry that may be missed. */
const MISSED_BATCHES = 6;

export interface Hearing {
  /** Since when the hub has heard without a break: nobody is silent for longer than that. */
  readonly listeningSinceMs: number;
  /** Nobody is silent before. */
  readonly leastMs: number;
}

/** How long this host may be silent. */
export const allowedMs = (host: HostState, { leastMs }: Hearing): number =>
  Math.max(leastMs, MISSED_BATCHES * host.cadenceMs);

/**
 * Since when it has been silent for too long; null: it speaks, or has said goodbye. One that never sent telemetry is
 * silent only once the broker has lost it: nobody knows how often it speaks.
 */
export function silentSinceMs(host: HostState, hearing: Hearing, nowMs: number): number | null {
  if (host.presence === 'stopped') return null;
  if (host.presence === 'online' && host.lastTelemetryMs === null) return null;
  // Heard in the future: the hub's clock was set back, and it listens anew since.
  const heardMs = host.lastSeenMs > nowMs ? 0 : host.lastSeenMs;
  const from = Math.max(heardMs, hearing.listeningSinceMs);
  return nowMs - from > allowedMs(host, hearing) ? from : null;
}
