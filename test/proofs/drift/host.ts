import { Random } from '../../../core/random.ts';

/** A simulated host: metrics that are AR(1) around the day's and the week's course. Values in their noise's own SD. */

export interface HostShape {
  /** Of AR(1) at 10 s. */
  readonly phi: number;
  readonly cycles: boolean;
  readonly metrics: number;
}

export const SLOT_MS = 30_000;
const SLOTS_PER_DAY = 2880;
/** 10 s samples of which one enters a window: AR(1) seen every third sample is AR(1) with phi to the power of 3. */
const SAMPLES_PER_SLOT = 3;
/** 2026-01-05, a Monday. */
export const MONDAY_MS = Date.UTC(2026, 0, 5);
const DAILY_AMPLITUDE = 1.5;
const WEEKEND_DROP = 1.5;
const DAY_MS = 86_400_000;

/** Standard deviation of a metric over weeks, its courses included. */
export function marginalSd({ cycles }: HostShape): number {
  if (!cycles) return 1;
  return Math.sqrt(
    1 + (DAILY_AMPLITUDE * DAILY_AMPLITUDE) / 2 + WEEKEND_DROP * WEEKEND_DROP * (2 / 7) * (5 / 7),
  );
}

export interface HostSeries {
  readonly startMs: number;
  /** One a metric, one value a slot. */
  readonly columns: readonly Float32Array[];
}

/** Begins on a day and with a time zone from the seed. */
export function simulateHost(shape: HostShape, seed: number, days: number): HostSeries {
  const random = new Random(seed);
  const normal = normals(random);
  const startMs = MONDAY_MS + random.below(7) * DAY_MS;
  const zoneMs = (random.below(24) - 11) * 3_600_000;
  const rows = days * SLOTS_PER_DAY;
  const phi = shape.phi ** SAMPLES_PER_SLOT;
  const innovation = Math.sqrt(1 - phi * phi);
  const columns = Array.from({ length: shape.metrics }, () => {
    const column = new Float32Array(rows);
    const phase = 2 * Math.PI * random.float();
    let noise = normal();
    for (let row = 0; row < rows; row++) {
      noise = phi * noise + innovation * normal();
      column[row] = noise + (shape.cycles ? course(startMs + row * SLOT_MS + zoneMs, phase) : 0);
    }
    return column;
  });
  return { startMs, columns };
}

function course(localMs: number, phase: number): number {
  const day = Math.floor((localMs - MONDAY_MS) / DAY_MS);
  const weekend = day - 7 * Math.floor(day / 7) >= 5;
  const wave = Math.sin(((2 * Math.PI) / DAY_MS) * (localMs % DAY_MS) + phase);
  return DAILY_AMPLITUDE * wave - (weekend ? WEEKEND_DROP : 0);
}

/** Standard normal values (Marsaglia's polar method). */
export function normals(random: Random): () => number {
  let spare = Number.NaN;
  return () => {
    if (!Number.isNaN(spare)) {
      const x = spare;
      spare = Number.NaN;
      return x;
    }
    for (;;) {
      const u = 2 * random.float() - 1;
      const v = 2 * random.float() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(s)) / s);
      spare = v * factor;
      return u * factor;
    }
  };
}
