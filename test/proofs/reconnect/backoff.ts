import { Random } from '../../../core/random.ts';
import { type Spread, spreadOf } from './histogram.ts';

/** As agent/sinks/mqtt/mqtt-sink.ts has it; `prove:reconnect` shows that agents keep to it. */
const BASE_MS = 1000;
const CAP_MS = 60_000;

/**
 * When agents that lost their broker at the same instant first try again after it is back, by their full-jitter
 * backoff alone: a broker that takes all of them at once.
 */
export function firstTries(agents: number, downMs: number, seed: number): Spread {
  const random = new Random(seed);
  return spreadOf(
    Array.from({ length: agents }, () => {
      let atMs = 0;
      for (let attempt = 0; ; attempt++) {
        atMs += random.float() * Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 10));
        if (atMs >= downMs) return atMs - downMs;
      }
    }),
  );
}
