import type { Stepwise } from '../core/features.ts';
import type { Model } from '../core/model.ts';
import type { MetricSchema } from '../core/sample.ts';
import { Shadow, type Tally } from '../core/shadow.ts';
import type { Judgement, Watcher } from '../core/watcher.ts';
import { newestRows, WARM_ROWS } from './newest-rows.ts';
import type { Store } from './store/store.ts';

/** Stored rows on which a new model is compared with the one that watches: 6 h at 5 s. */
const SHADOW_ROWS = 4320;

export interface ShadowHost {
  readonly store: Store;
  readonly schema: MetricSchema;
  /** A watcher that nobody hears, as this host would run the model. */
  readonly watcherOf: (model: Model) => Watcher;
}

/**
 * Both models over the newest stored rows of this host.
 * @param current null: none watches
 * @param timed is handed what the candidate does with each row
 */
export function* replayShadow(
  candidate: Model,
  current: Model | null,
  { store, schema, watcherOf }: ShadowHost,
  count = SHADOW_ROWS,
  timed: (work: () => Judgement) => Judgement = (work) => work(),
): Stepwise<Tally> {
  const shadow = new Shadow(watcherOf(candidate), current === null ? null : watcherOf(current), timed);
  let rows = 0;
  for (const row of yield* newestRows(store, count + WARM_ROWS)) {
    if (row.values.length !== schema.length) continue;
    if (rows++ < WARM_ROWS) shadow.warm(row);
    else shadow.step(row);
    if (rows % 4 === 0) yield;
  }
  return shadow.tally;
}
