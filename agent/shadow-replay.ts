import type { Stepwise } from '../core/features.ts';
import { INCIDENT_DEFAULTS } from '../core/incident.ts';
import { calibratedFor, type Model } from '../core/model.ts';
import type { MetricSchema } from '../core/sample.ts';
import { Shadow, type Tally } from '../core/shadow.ts';
import { type Judgement, Watcher } from '../core/watcher.ts';
import type { AgentConfig } from './config/config.ts';
import type { Store } from './store/store.ts';

/** Stored rows on which a new model is compared with the one that watches: 6 h at 5 s. */
const SHADOW_ROWS = 4320;
const WARM_ROWS = 320;

export interface ShadowHost {
  readonly store: Store;
  readonly schema: MetricSchema;
  readonly hostId: string;
  readonly config: Pick<AgentConfig, 'hostName' | 'budget' | 'renotifyMs'>;
}

/** A watcher of its own for a model that raises no alarm. */
export function shadowWatcher(model: Model, { schema, hostId, config }: ShadowHost): Watcher {
  const { hostName, budget, renotifyMs } = config;
  const settings = { ...INCIDENT_DEFAULTS, renotifyMs, infoPerDay: budget.infoPerDay };
  return new Watcher(calibratedFor(model, hostId, hostName), schema, settings);
}

/**
 * Both models over the newest stored rows of this host.
 * @param current null: none watches
 * @param timed is handed what the candidate does with each row
 */
export function* replayShadow(
  candidate: Model,
  current: Model | null,
  host: ShadowHost,
  count = SHADOW_ROWS,
  timed: (work: () => Judgement) => Judgement = (work) => work(),
): Stepwise<Tally> {
  const own = current === null ? null : shadowWatcher(current, host);
  const shadow = new Shadow(shadowWatcher(candidate, host), own, timed);
  let rows = 0;
  for (const row of host.store.lastSamples(count + WARM_ROWS)) {
    if (row.values.length !== host.schema.length) continue;
    if (rows++ < WARM_ROWS) shadow.warm(row);
    else shadow.step(row);
    if (rows % 4 === 0) yield;
  }
  return shadow.tally;
}
