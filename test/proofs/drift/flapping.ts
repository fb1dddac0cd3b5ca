import { DriftMonitor, type DriftState } from '../../../core/drift/monitor.ts';
import { Random } from '../../../core/random.ts';
import { SLOT_MS, simulateHost } from './host.ts';
import { fitColumns } from './run.ts';

/**
 * A host that flaps between two regimes, a quarter of a day to three days each, three of its metrics 3 SD apart. Whenever
 * retraining is asked for, a reference of the time since that drift began takes over at once: the worst of policies, since
 * it knows nothing of the other regime.
 */

const DAY_MS = 86_400_000;
const SLOTS_PER_DAY = 2880;
const FIRST_DAYS = 2;
/** Six hours, in slots. */
const LEAST_LEARNED = SLOTS_PER_DAY / 4;

export interface FlappingFigures {
  readonly seed: number;
  readonly relearns: boolean;
  readonly days: number;
  readonly requests: number;
  readonly heldBack: number;
  /** Shortest time between two requests. */
  readonly leastApartHours: number | null;
}

/** @param relearns whether a request is followed by a new reference; else every new model is held back as no better */
export function flap(seed: number, days: number, relearns: boolean): FlappingFigures {
  const host = simulateHost({ phi: 0.9, cycles: false, metrics: 8 }, seed, days);
  const random = new Random(seed + 1_000_000);
  const rows = days * SLOTS_PER_DAY;
  let other = true;
  for (let row = FIRST_DAYS * SLOTS_PER_DAY; row < rows; ) {
    const stay = Math.floor((0.25 + 2.75 * random.float()) * SLOTS_PER_DAY);
    for (let m = 0; other && m < 3; m++) {
      const column = host.columns[m] as Float32Array;
      for (let i = row; i < Math.min(rows, row + stay); i++) column[i] = (column[i] as number) + 3;
    }
    row += stay;
    other = !other;
  }
  const columns = { ...host, intervalMs: SLOT_MS };
  const requestsMs: number[] = [];
  let heldBack = 0;
  let saved: DriftState | null = null;
  const learn = (
    from: number,
    to: number,
  ): { monitor: DriftMonitor; score: ReturnType<typeof fitColumns>['score'] } => {
    const { reference, score } = fitColumns(columns, from, to);
    return { monitor: new DriftMonitor(reference, SLOT_MS, `model of ${to}`, saved), score };
  };
  let { monitor, score } = learn(0, FIRST_DAYS * SLOTS_PER_DAY);
  const values = new Float64Array(columns.columns.length);
  const update = (row: number) => {
    for (let m = 0; m < values.length; m++) values[m] = (columns.columns[m] as Float32Array)[row] as number;
    return monitor.update({
      timeMs: host.startMs + row * SLOT_MS,
      values,
      score: score.of(values),
      inIncident: false,
    });
  };
  for (let row = FIRST_DAYS * SLOTS_PER_DAY; row < rows; row++) {
    for (const decision of update(row)) {
      if (decision.heldBack) heldBack++;
      if (!decision.retrain) continue;
      requestsMs.push(decision.atMs);
      const since = monitor.state.sinceMs ?? decision.atMs;
      if (!relearns) continue;
      saved = JSON.parse(JSON.stringify(monitor.state)) as DriftState;
      ({ monitor, score } = learn(
        Math.min(row - LEAST_LEARNED, Math.round((since - host.startMs) / SLOT_MS)),
        row,
      ));
      // As an agent does: the last window's stored samples fill the new one.
      for (let back = row - SLOTS_PER_DAY; back <= row; back++) update(back);
    }
  }
  const apart = requestsMs.slice(1).map((atMs, i) => atMs - (requestsMs[i] as number));
  return {
    seed,
    relearns,
    days,
    requests: requestsMs.length,
    heldBack,
    leastApartHours: apart.length === 0 ? null : Math.min(...apart) / 3_600_000,
  };
}

/** At most one request in a day. */
export const heldLimit = ({ leastApartHours }: FlappingFigures): boolean =>
  leastApartHours === null || leastApartHours * 3_600_000 >= DAY_MS;
