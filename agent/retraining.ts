import type { Stepwise } from '../core/features.ts';
import type { Model } from '../core/model.ts';
import { EVENT_TYPES } from '../core/protocol/events.ts';
import {
  type RetrainingData,
  type RetrainingDecision,
  type RetrainingReason,
  retrainingSentence,
} from '../core/protocol/retraining.ts';
import type { MetricSchema } from '../core/sample.ts';
import { type ShadowComparison, shadowObjections } from '../core/shadow.ts';
import type { Watcher } from '../core/watcher.ts';
import type { LoadedModel, ModelSlots } from '../models/slots.ts';
import { Background, type BackgroundDependencies, type Outcome } from './background.ts';
import type { AgentConfig } from './config/config.ts';
import { messageOf } from './delivery.ts';
import type { Adoption, DriftWatch } from './drift.ts';
import { type AgentFacts, modelActivatedEvent, modelSummary } from './events.ts';
import { fitFromStore, LEAST_TRAINING_ROWS } from './learner.ts';
import type { Log } from './log.ts';
import { warmed } from './newest-rows.ts';
import { replayShadow } from './shadow-replay.ts';
import type { NewEvent, Store } from './store/store.ts';

const DAY_MS = 86_400_000;
/**
 * A new model goes again by itself when, within a day of its activation and with the input steady, it has opened at
 * least five incidents and more than three times its budget for a day.
 */
const PROBATION_MS = DAY_MS;
const PROBATION_LEAST_ALARMS = 5;
const PROBATION_FACTOR = 3;
const HISTORY = 64;

/** First model and widening history are learning's own; they replace nothing that was settled. */
export type FitReason = 'first' | 'widening' | Exclude<RetrainingReason, 'alarms'>;

/** JSON: survives a restart. */
export interface RetrainingDocument {
  /** Of the model that is on probation, or null. */
  readonly activatedMs: number | null;
  readonly alarms: number;
  /** The newest decisions, oldest first. */
  readonly history: readonly {
    readonly atMs: number;
    readonly decision: RetrainingDecision;
    readonly reason: RetrainingReason;
  }[];
}

export interface RetrainingDependencies extends BackgroundDependencies {
  readonly store: Store;
  readonly schema: MetricSchema;
  readonly slots: ModelSlots;
  readonly log: Log;
  readonly version: string;
  readonly counters: { fits: number; failedFits: number };
  readonly hostId: string;
  readonly config: () => AgentConfig;
  readonly facts: () => AgentFacts;
  readonly loaded: () => LoadedModel | null;
  readonly drift: DriftWatch;
  readonly commit: (event: NewEvent) => void;
  /** As the agent runs one. */
  readonly watcherOf: (model: Model) => Watcher;
  /** @param watcher of this model, shown the newest samples; null: it has to be yet */
  readonly adopt: (loaded: LoadedModel, adoption: Adoption, watcher: Watcher | null) => void;
}

interface Fitted {
  readonly model: Model;
  readonly comparison: ShadowComparison | null;
  readonly watcher: Watcher;
}

interface Order {
  readonly reason: FitReason;
  readonly why: string;
  readonly nowMs: number;
  readonly referenceFromMs: number | null;
}

/** When a model is replaced, by which, and when that is taken back. Every decision is an event with its reasons. */
export class Retraining {
  readonly #deps: RetrainingDependencies;
  readonly #fitting: Background<Fitted | null>;
  #document: RetrainingDocument;

  constructor(deps: RetrainingDependencies, document: RetrainingDocument | null) {
    this.#deps = deps;
    this.#fitting = new Background(deps);
    this.#document = document ?? { activatedMs: null, alarms: 0, history: [] };
  }

  get document(): RetrainingDocument {
    return this.#document;
  }

  get running(): boolean {
    return this.#fitting.running;
  }

  giveUp(): void {
    this.#fitting.giveUp();
  }

  /** Drift has lasted: what is done about it is configured. @param why in words */
  onDrift(why: string, sinceMs: number | null, nowMs: number): void {
    const { retraining } = this.#deps.config();
    if (retraining.mode === 'off' || !retraining.onDrift) this.#decide('told', 'drift', why, nowMs);
    else if (retraining.mode === 'central' || this.#deps.loaded()?.slot === 'central')
      this.#ask('drift', why, nowMs);
    else this.fit('drift', why, nowMs, sinceMs);
  }

  /** Somebody asked for it. @throws Error in plain words where it can't be done */
  onCommand(why: string, nowMs: number): { readonly decision: 'begun' | 'asked' } {
    if (this.running) throw new Error('a model is being fitted already');
    const { retraining } = this.#deps.config();
    if (retraining.mode === 'central' || this.#deps.loaded()?.slot === 'central') {
      this.#ask('command', why, nowMs);
      return { decision: 'asked' };
    }
    this.fit('command', why, nowMs);
    return { decision: 'begun' };
  }

  /** @param sinceMs what came before is another regime's; null: go on with what is known of that */
  fit(reason: FitReason, why: string, nowMs: number, sinceMs: number | null = null): void {
    const { store, schema, version, drift } = this.#deps;
    const config = this.#deps.config();
    const referenceFromMs = sinceMs ?? drift.referenceFromMs;
    if (reason === 'drift' || reason === 'command') this.#decide('begun', reason, why, nowMs);
    const fit = fitFromStore({
      store,
      schema,
      nowMs,
      budget: config.budget,
      renotifyMs: config.renotifyMs,
      intervalMs: config.intervalMs,
      toolVersion: version,
      seed: 1,
      referenceFromMs,
    });
    const current = reason === 'first' || reason === 'widening' ? null : this.#deps.loaded();
    const order = { reason, why, nowMs, referenceFromMs };
    this.#fitting.start(this.#ready(fit, current?.model ?? null), (outcome) => this.#finish(outcome, order));
  }

  *#ready(fit: Stepwise<Model | null>, current: Model | null): Stepwise<Fitted | null> {
    const model = yield* fit;
    if (model === null) return null;
    const comparison = current === null ? null : yield* this.#compared(model, current);
    const { store, schema, watcherOf } = this.#deps;
    // The last of all, so that no sample comes between this and the switch.
    return { model, comparison, watcher: yield* warmed(watcherOf(model), store, schema.length) };
  }

  *#compared(model: Model, current: Model): Stepwise<ShadowComparison> {
    const tally = yield* replayShadow(model, current, this.#deps);
    return tally.comparison(this.#deps.config().budget, model.provenance.intervalMs);
  }

  #finish(outcome: Outcome<Fitted | null>, order: Order): void {
    const { log, slots, drift, commit, adopt } = this.#deps;
    const { reason, why, nowMs } = order;
    try {
      if ('error' in outcome) throw outcome.error;
      if (outcome.value === null) {
        this.#deps.counters.failedFits++;
        log('warning', 'model.notEnoughHistory', { leastRows: LEAST_TRAINING_ROWS });
        if (isRetraining(reason)) this.#decide('failed', reason, 'too little history', nowMs);
        return;
      }
      const { model, comparison, watcher } = outcome.value;
      const objections = comparison === null ? [] : shadowObjections(comparison);
      if (objections.length > 0 && isRetraining(reason)) {
        this.#decide('heldBack', reason, objections.join('; '), nowMs, comparison);
        return;
      }
      const loaded = slots.install(model);
      this.#deps.counters.fits++;
      adopt(loaded, reason === 'drift' || reason === 'command' ? 'fresh' : 'same', watcher);
      drift.referenceFromMs = order.referenceFromMs;
      log('info', 'model.activated', { ...modelSummary(loaded), bytes: loaded.bytes });
      this.#document = { ...this.#document, activatedMs: isRetraining(reason) ? nowMs : null, alarms: 0 };
      commit(modelActivatedEvent(loaded, nowMs));
      if (isRetraining(reason)) this.#decide('activated', reason, why, nowMs, comparison);
    } catch (error) {
      this.#deps.counters.failedFits++;
      log('error', 'model.fitFailed', { error: messageOf(error) });
      if (isRetraining(reason)) this.#decide('failed', reason, messageOf(error), nowMs);
    }
  }

  /** An incident opened: a new model that alarms beyond its budget on a steady host goes again. */
  incidentOpened(nowMs: number): void {
    const { activatedMs } = this.#document;
    if (activatedMs === null) return;
    if (nowMs - activatedMs > PROBATION_MS) {
      this.#document = { ...this.#document, activatedMs: null, alarms: 0 };
      return;
    }
    const alarms = this.#document.alarms + 1;
    this.#document = { ...this.#document, alarms };
    const allowed = PROBATION_FACTOR * this.#deps.config().budget.infoPerDay;
    if (alarms < PROBATION_LEAST_ALARMS || alarms <= allowed || this.#deps.drift.phase !== 'steady') return;
    const why = `${alarms} incidents since its activation, the budget is ${this.#deps.config().budget.infoPerDay} a day`;
    this.#swap('alarms', why, nowMs);
  }

  /** Back to the model before; again: forth. @returns digests. @throws Error in plain words */
  rollback(why: string, nowMs: number): { readonly from: string; readonly to: string } {
    const before = this.#deps.loaded();
    if (before?.slot === 'central') {
      throw new Error('the model is the centre’s: `edgewood rollout abort` there takes it back');
    }
    const to = this.#swap('command', why, nowMs);
    if (to === null) throw new Error('there is no model before this one');
    return { from: before?.sha256 ?? '', to: to.sha256 };
  }

  #swap(reason: RetrainingReason, why: string, nowMs: number): LoadedModel | null {
    const { slots, log, adopt, commit } = this.#deps;
    // A fit that began under the model that goes would be compared with it.
    this.#fitting.giveUp();
    const loaded = slots.rollback((slot, fault) => log('error', 'model.unusable', { slot, fault }));
    if (loaded === null) return null;
    this.#document = { ...this.#document, activatedMs: null, alarms: 0 };
    adopt(loaded, 'fresh', null);
    commit(modelActivatedEvent(loaded, nowMs));
    this.#decide('rolledBack', reason, why, nowMs);
    return loaded;
  }

  #ask(reason: RetrainingReason, why: string, nowMs: number): void {
    this.#decide('asked', reason, why, nowMs, null, true);
  }

  #decide(
    decision: RetrainingDecision,
    reason: RetrainingReason,
    why: string,
    nowMs: number,
    comparison: ShadowComparison | null = null,
    offers = false,
  ): void {
    const { log, commit, facts, loaded, drift } = this.#deps;
    const { hostId, config } = facts();
    const history = [...this.#document.history, { atMs: nowMs, decision, reason }].slice(-HISTORY);
    this.#document = { ...this.#document, history };
    const sentence = retrainingSentence(decision, reason, why);
    const about: Omit<RetrainingData, 'sequence'> = {
      schemaVersion: 1,
      host: { id: hostId, name: config.hostName, labels: config.labels },
      decision,
      reason,
      why,
      driftSeverity: drift.severity,
      comparison,
      offer: offers ? this.#offer(nowMs) : null,
      modelSha256: loaded()?.sha256 ?? null,
      sentence,
    };
    const bad = decision === 'heldBack' || decision === 'failed' || decision === 'rolledBack';
    log(bad ? 'warning' : 'info', `retraining.${decision}`, { reason, sentence });
    commit({
      type: EVENT_TYPES.retraining,
      severity: null,
      timeMs: nowMs,
      subject: null,
      data: (sequence) => JSON.stringify({ ...about, sequence } satisfies RetrainingData),
    });
  }

  #offer(nowMs: number): RetrainingData['offer'] {
    const { store } = this.#deps;
    const first = store.samples(0, Number.MAX_SAFE_INTEGER)[Symbol.iterator]().next();
    const fromMs = first.done === true ? nowMs : first.value.timeMs;
    const iso = (ms: number): string => new Date(ms).toISOString();
    return { samples: store.sampleCount(), from: iso(fromMs), to: iso(nowMs) };
  }
}

const isRetraining = (reason: FitReason): reason is Exclude<FitReason, 'first' | 'widening'> =>
  reason !== 'first' && reason !== 'widening';
