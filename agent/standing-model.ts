import type { Source } from '../collector/source.ts';
import { runToEnd, type Stepwise } from '../core/features.ts';
import {
  INCIDENT_DEFAULTS,
  INITIAL_INCIDENT_STATE,
  type IncidentSettings,
  type Transition,
} from '../core/incident.ts';
import { calibratedFor, type Model } from '../core/model.ts';
import { Watcher } from '../core/watcher.ts';
import type { LoadedModel } from '../models/slots.ts';
import { Background, type BackgroundDependencies } from './background.ts';
import type { AgentConfig } from './config/config.ts';
import { messageOf } from './delivery.ts';
import type { Adoption, DriftWatch } from './drift.ts';
import type { Log } from './log.ts';
import { warmed } from './newest-rows.ts';
import type { Store } from './store/store.ts';

/** A standing incident is taken up again after a restart if no more than this was missed. */
const RESUME_MS = 5 * 60_000;

export interface StandingModelDependencies extends BackgroundDependencies {
  readonly log: Log;
  readonly store: Store;
  readonly source: Pick<Source, 'schema' | 'kind'>;
  readonly hostId: string;
  readonly config: () => Pick<AgentConfig, 'hostName' | 'renotifyMs' | 'budget'>;
  readonly nowMs: () => number;
  readonly drift: DriftWatch;
  /** Samples have come since the process began. */
  readonly sampling: () => boolean;
  readonly transition: (transition: Transition, watcher: Watcher) => void;
}

/** The model that watches this host, if there is one yet, and its watcher. Replaced between two samples. */
export class StandingModel {
  readonly #deps: StandingModelDependencies;
  readonly #warming: Background<Watcher>;
  loaded: LoadedModel | null = null;
  watcher: Watcher | null = null;

  constructor(deps: StandingModelDependencies) {
    this.#deps = deps;
    this.#warming = new Background(deps);
  }

  get #settings(): IncidentSettings {
    const { renotifyMs, budget } = this.#deps.config();
    return { ...INCIDENT_DEFAULTS, renotifyMs, infoPerDay: budget.infoPerDay };
  }

  /** The configuration is another. */
  configure(): void {
    if (this.watcher !== null) this.watcher.settings = this.#settings;
  }

  /** As this host runs a model: one from the centre may have been calibrated for this very host. */
  watcherOf(model: Model): Watcher {
    const { hostId, config, source } = this.#deps;
    return new Watcher(calibratedFor(model, hostId, config().hostName), source.schema, this.#settings);
  }

  #warmed(model: Model): Stepwise<Watcher> {
    const { store, source } = this.#deps;
    return warmed(this.watcherOf(model), store, source.schema.length);
  }

  /** After a start, before the first sample. */
  warmed(model: Model): Watcher {
    return runToEnd(this.#warmed(model));
  }

  /**
   * Another model, from the next sample on; what stands goes on under it.
   * @param warm its watcher, where there is one that has seen the last samples; else it begins as after a gap, until one has been
   *   shown them in steps: in one go they would hold a sample up
   * @returns the watcher before
   */
  replace(loaded: LoadedModel, adoption: Adoption, warm: Watcher | null): Watcher | null {
    const before = this.watcher;
    const watcher = warm ?? this.watcherOf(loaded.model);
    // One that ran silently until now may think that an incident stands which nobody was told of.
    watcher.takeOver(before?.incident ?? INITIAL_INCIDENT_STATE);
    this.adopt(loaded, adoption, watcher);
    if (warm === null) this.#warm(watcher);
    return before;
  }

  #warm(cold: Watcher): void {
    this.#warming.start(this.#warmed(cold.model), (outcome) => {
      if ('error' in outcome) this.#deps.log('error', 'model.cold', { error: messageOf(outcome.error) });
      else if (this.watcher === cold) {
        this.watcher = outcome.value;
        this.watcher.settings = cold.settings;
        this.watcher.takeOver(cold.incident);
      }
    });
  }

  stop(): void {
    this.#warming.giveUp();
  }

  adopt(loaded: LoadedModel, adoption: Adoption, watcher: Watcher): void {
    const { drift, store } = this.#deps;
    this.loaded = loaded;
    this.watcher = watcher;
    drift.adopt(loaded, adoption, store.lastSamples(1)[0]?.timeMs ?? null);
    this.#endUnwatched(watcher);
  }

  /** An incident whose course was missed for too long can't be said to be open or over. */
  #endUnwatched(watcher: Watcher): void {
    const { standing, lastTimeMs } = watcher.incident;
    if (standing === null || lastTimeMs === null || this.#deps.sampling()) return;
    const nowMs = this.#deps.nowMs();
    if (this.#deps.source.kind !== 'replay' && nowMs - lastTimeMs <= RESUME_MS) return;
    this.#invalidate(watcher);
  }

  #invalidate(watcher: Watcher): void {
    const transition = watcher.invalidate(this.#deps.nowMs());
    if (transition !== null) this.#deps.transition(transition, watcher);
  }

  /** None any more: the host learns its own, as at its first start. @returns the watcher before */
  leave(): Watcher | null {
    const before = this.watcher;
    if (before !== null) this.#invalidate(before);
    this.loaded = null;
    this.watcher = null;
    this.#deps.drift.stop();
    return before;
  }
}
