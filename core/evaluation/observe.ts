import type { NotificationRule } from '../calibration.ts';
import { INCIDENT_DEFAULTS } from '../incident.ts';
import type { Model } from '../model.ts';
import type { TriggerName } from '../protocol/events.ts';
import type { MetricSchema } from '../sample.ts';
import { MERGE_SAMPLES } from '../train.ts';
import { Watcher } from '../watcher.ts';
import { Guard } from './guard.ts';

const HOUR_MS = 3_600_000;

/** Rows to be judged: what came before them fills the windows, and is not judged. */
export interface Stretch {
  readonly timesMs: ArrayLike<number>;
  readonly columns: readonly Float64Array[];
  /** First judged row. */
  readonly from: number;
}

/** What a model says of the judged rows of a stretch. */
export interface Observed {
  readonly scores: Float64Array;
  /** 1 where the agent would flag: a trigger or rule over its `info` threshold, raised by the guard. */
  readonly flags: Uint8Array;
  /** The same without the guard: what one row says, however many notifications came before it. */
  readonly bare: Uint8Array;
  /** Value of the strongest trigger or rule over its `info` threshold: an alarm above 1. */
  readonly levels: Float64Array;
  /** Strongest trigger of a row of `bare`, by how far it is over. */
  readonly triggers: (TriggerName | null)[];
}

/** How flags become notifications at this interval. */
export const notificationRule = (intervalMs: number): NotificationRule => ({
  mergeSamples: MERGE_SAMPLES,
  renotifySamples: Math.max(1, Math.round(HOUR_MS / intervalMs)),
});

/**
 * Runs a model over recorded rows, as an agent would, but for incidents: what is judged is when it would speak. The
 * rules that say a thing once are told that they were heard, so that they are not counted each row.
 */
export function observe(model: Model, schema: MetricSchema, stretch: Stretch): Observed {
  const { timesMs, columns, from } = stretch;
  const rows = timesMs.length;
  const watcher = new Watcher(model, schema, INCIDENT_DEFAULTS);
  const judged = Math.max(0, rows - from);
  const observed: Observed = {
    scores: new Float64Array(judged),
    flags: new Uint8Array(judged),
    levels: new Float64Array(judged),
    bare: new Uint8Array(judged),
    triggers: new Array<TriggerName | null>(judged).fill(null),
  };
  const values = new Float64Array(columns.length);
  const standing = new Set<TriggerName>();
  const { intervalMs } = model.provenance;
  const { guardStep } = INCIDENT_DEFAULTS;
  const guard = new Guard(guardStep, model.budget.infoPerDay, notificationRule(intervalMs));
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns.length; i++) values[i] = (columns[i] as Float64Array)[row] as number;
    const score = watcher.warm({ timeMs: timesMs[row] as number, values });
    const factor = row < from ? 1 : guard.advance(row, intervalMs);
    let strongest = 0;
    let level = 0;
    let told: TriggerName | null = null;
    let guarded = false;
    for (const reading of watcher.alarm.readings) {
      const over = reading.value / reading.thresholds.info;
      if (over > level) level = over;
      const stood = standing.has(reading.name);
      if (!(over > 1)) {
        standing.delete(reading.name);
        continue;
      }
      standing.add(reading.name);
      if (stood && !reading.repeats) continue;
      if (!reading.repeats || over > factor) guarded = true;
      if (told === null || over > strongest) {
        strongest = over;
        told = reading.name;
      }
      if (!reading.repeats) watcher.alarm.acknowledge(reading.name, watcher.values);
    }
    if (row < from) continue;
    if (guarded) guard.flagged(row);
    observed.scores[row - from] = score;
    observed.levels[row - from] = level;
    observed.bare[row - from] = told === null ? 0 : 1;
    observed.flags[row - from] = guarded ? 1 : 0;
    observed.triggers[row - from] = told;
  }
  return observed;
}
