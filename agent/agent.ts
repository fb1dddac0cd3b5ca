import type { SampleMeta } from '../collector/sampler.ts';
import type { Clock, Source } from '../collector/source.ts';
import { alertData } from '../core/alert.ts';
import { INCIDENT_DEFAULTS, type IncidentSettings, type Transition } from '../core/incident.ts';
import { EVENT_TYPES, type StoredEvent } from '../core/protocol/events.ts';
import type { Sample } from '../core/sample.ts';
import { Watcher, type WatcherState } from '../core/watcher.ts';
import type { LoadedModel, ModelSlots } from '../models/slots.ts';
import type { AgentConfig } from './config/config.ts';
import { messageOf } from './delivery.ts';
import {
  type AgentFacts,
  lifecycleEvent,
  modelActivatedEvent,
  modelSummary,
  neverStoredEvent,
  storeReplacedEvent,
} from './events.ts';
import { type FitOutcome, Fitting } from './fitting.ts';
import { fitFromStore, type LearnerState, LearningSchedule } from './learner.ts';
import type { Log } from './log.ts';
import type { Outward } from './outward.ts';
import { type AgentState, statusReport } from './status.ts';
import {
  type IncidentRow,
  type NewEvent,
  SAMPLE_AFTER_GAP,
  SAMPLE_IN_INCIDENT,
  type Store,
  StoreFullError,
} from './store/store.ts';

/** Rows replayed through the windows at start and after a model switch: 240 scores and the widest window. */
const WARM_ROWS = 320;
const SAVE_MS = 60_000;
const MAINTAIN_MS = 60_000;
const TELEMETRY_MS = 10_000;
/** A standing incident is taken up again after a restart if no more than this was missed. */
const RESUME_MS = 5 * 60_000;
/** Events kept in memory while the disk is full; the oldest go first. */
const MAX_UNSTORED = 64;

export interface AgentDependencies {
  readonly config: AgentConfig;
  readonly version: string;
  readonly hostId: string;
  readonly bootId: string;
  readonly source: Source;
  readonly store: Store;
  readonly slots: ModelSlots;
  readonly outward: Outward;
  readonly clock: Clock;
  readonly log: Log;
  /** Resident set size. */
  readonly memoryBytes: () => number;
  readonly newId: () => string;
  readonly setImmediate: (callback: () => void) => void;
  /** Told of every committed event and every judged sample: the local API's followers. */
  readonly publish: (message: object) => void;
}

/** An event on its way into the store, and the incident row that goes with it. */
interface Change {
  readonly event: NewEvent;
  readonly row: ((stored: StoredEvent) => IncidentRow) | null;
}

export interface TelemetryPoint {
  readonly timeMs: number;
  readonly score: number | null;
  readonly surprise: number | null;
}

/** The daemon's heart: sample -> judgement -> store and outbox -> delivery, and learning beside it. */
export class Agent {
  readonly #deps: AgentDependencies;
  #config: AgentConfig;
  readonly #schedule: LearningSchedule;
  readonly #fitting: Fitting;
  readonly #startedMs: number;
  readonly counters = { samples: 0, judged: 0, notStored: 0, fits: 0, failedFits: 0, gaps: 0, lostEvents: 0 };
  #loaded: LoadedModel | null = null;
  #watcher: Watcher | null = null;
  #lastSample: Sample | null = null;
  #lastScore = Number.NaN;
  #lastSavedMs = 0;
  #lastMaintainedMs = 0;
  #lastTelemetryMs = 0;
  #telemetry: TelemetryPoint[] = [];
  #storeFull = false;
  /** What the store has not taken yet, oldest first: more than the change at hand only while the disk is full. */
  #unstored: Change[] = [];
  /** Left out of `#unstored` for want of room, and no event says so yet. */
  #lostUntold = 0;
  #stopped = false;

  constructor(deps: AgentDependencies) {
    this.#deps = deps;
    this.#config = deps.config;
    const learner = parse<LearnerState>(deps.store.getState('learner'));
    this.#schedule = new LearningSchedule(deps.config.warmupMs, deps.config.refit, learner);
    this.#startedMs = deps.clock.nowMs();
    this.#fitting = new Fitting({
      monotonicMs: () => deps.clock.monotonicMs(),
      setImmediate: deps.setImmediate,
    });
  }

  get #facts(): AgentFacts {
    return { ...this.#deps, config: this.#config, sourceKind: this.#deps.source.kind };
  }

  get #settings(): IncidentSettings {
    const { renotifyMs, budget } = this.#config;
    return { ...INCIDENT_DEFAULTS, renotifyMs, infoPerDay: budget.infoPerDay };
  }

  /** Takes up what was learned and what stood before a restart, and tells that the agent is here. */
  start(): void {
    const { store, slots, log } = this.#deps;
    const loaded = slots.load((slot, fault) => log('error', 'model.unusable', { slot, fault }));
    if (loaded !== null) {
      const state = parse<WatcherState>(store.getState('watcher'));
      this.#adopt(loaded, (watcher) => {
        try {
          if (state !== null) watcher.restore(state, loaded.sha256);
        } catch (error) {
          log('warning', 'state.unusable', { error: messageOf(error) });
        }
      });
      log('info', 'model.loaded', {
        name: loaded.model.provenance.name,
        version: loaded.model.provenance.version,
      });
    }
    const { epochReason, findings } = store;
    if (epochReason !== 'new' && epochReason !== 'continued') {
      this.#commit(storeReplacedEvent(this.#facts, epochReason, findings, this.#deps.clock.nowMs()));
    }
    this.#lifecycle('started');
    this.#deps.outward.wake();
  }

  /** One sample, synchronously from reading to the durable outbox. */
  onSample(sample: Sample, meta: Pick<SampleMeta, 'failed'>): void {
    if (this.#stopped) return;
    this.counters.samples++;
    const gap = this.#afterGap(sample);
    if (this.#unstored.length > 0) this.#flush();
    this.#lastSample = sample;
    if (!meta.failed) this.#schedule.sampled(sample.timeMs);
    this.#learn(sample.timeMs);
    const watcher = this.#watcher;
    let score = Number.NaN;
    let standing = false;
    if (watcher !== null) {
      const judgement = watcher.step(sample, 'open', this.#deps.newId);
      this.counters.judged++;
      score = judgement.score;
      standing = watcher.incident.standing !== null;
      if (judgement.transition !== null) this.#onTransition(judgement.transition, watcher);
    }
    this.#lastScore = score;
    this.#keep(sample, score, standing, gap);
    this.#housekeeping(sample.timeMs, score);
  }

  #afterGap(sample: Sample): boolean {
    const last = this.#lastSample;
    if (last === null) return true;
    const step = sample.timeMs - last.timeMs;
    const gap = step > 5 * this.#intervalMs() || step < 0;
    if (gap) this.counters.gaps++;
    return gap;
  }

  #intervalMs(): number {
    return this.#loaded?.model.provenance.intervalMs ?? this.#config.intervalMs;
  }

  #keep(sample: Sample, score: number, standing: boolean, gap: boolean): void {
    try {
      this.#deps.store.appendSample({
        timeMs: sample.timeMs,
        values: sample.values,
        score,
        flags: (standing ? SAMPLE_IN_INCIDENT : 0) | (gap ? SAMPLE_AFTER_GAP : 0),
      });
      this.#deps.outward.sampleStored(sample.timeMs);
      if (this.#storeFull) {
        this.#storeFull = false;
        this.#deps.log('info', 'store.recovered');
      }
    } catch (error) {
      this.#degrade(error);
    }
  }

  /** A full disk costs history, not detection: said once, counted, over when it is over. */
  #degrade(error: unknown): void {
    if (!(error instanceof StoreFullError)) throw error;
    this.counters.notStored++;
    if (this.#storeFull) return;
    this.#storeFull = true;
    this.#deps.log('error', 'store.full', { error: error.message });
  }

  #onTransition(transition: Transition, watcher: Watcher): void {
    const { incident, state } = transition;
    // Made now and numbered when it is stored: with a full disk that is later, and the watcher moves on.
    const alert = alertData(transition, watcher, this.#alertContext(), { epoch: '', n: 0 });
    const event: NewEvent = {
      type: EVENT_TYPES.incident,
      severity: incident.severity,
      timeMs: transition.atMs,
      subject: incident.id,
      data: (sequence) => JSON.stringify({ ...alert, sequence }),
    };
    this.#commit(event, ({ data }) => ({
      id: incident.id,
      state,
      severity: incident.severity,
      openedAtMs: incident.openedAtMs,
      resolvedAtMs: state === 'resolved' || state === 'invalidated' ? transition.atMs : null,
      data,
    }));
    this.#deps.log(state === 'opened' ? 'warning' : 'info', `incident.${state}`, {
      id: incident.id,
      severity: incident.severity,
      trigger: incident.trigger,
      sentence: alert.explanation.sentence,
    });
  }

  #alertContext(): Parameters<typeof alertData>[2] {
    const { hostId, version, source } = this.#deps;
    const config = this.#config;
    return {
      host: { id: hostId, name: config.hostName, labels: config.labels },
      agentVersion: version,
      modelSha256: this.#loaded?.sha256 ?? '',
      modelAlias: this.#loaded?.slot === 'central' ? 'production' : null,
      replayed: source.kind === 'replay',
      warmingUp: false,
      maintenance: false,
      driftSeverity: null,
      processes: null,
    };
  }

  #commit(event: NewEvent, row: Change['row'] = null): void {
    this.#unstored.push({ event, row });
    this.#flush();
  }

  /**
   * Events, incident rows and the reducer's state in one durable transaction; then the sinks are woken. What a full
   * disk refuses is offered again with each sample, in its order.
   */
  #flush(): void {
    const { store, outward, publish } = this.#deps;
    const lost = this.#lostUntold;
    const changes: Change[] =
      lost === 0
        ? this.#unstored
        : [{ event: neverStoredEvent(lost, this.#deps.clock.nowMs()), row: null }, ...this.#unstored];
    let stored: StoredEvent[];
    try {
      stored = store.commitTransition({
        events: changes.map(({ event }) => event),
        incidents: (events) => events.flatMap((event, i) => changes[i]?.row?.(event) ?? []),
        state: this.#stateDocuments(),
      });
    } catch (error) {
      this.#degrade(error);
      while (this.#unstored.length > MAX_UNSTORED) {
        this.#unstored.shift();
        this.counters.lostEvents++;
        this.#lostUntold++;
      }
      return;
    }
    this.#unstored = [];
    this.#lostUntold = 0;
    for (const event of stored) publish({ event });
    outward.wake();
  }

  #stateDocuments(): Record<string, string> {
    const documents: Record<string, string> = { learner: JSON.stringify(this.#schedule.state) };
    if (this.#watcher !== null && this.#loaded !== null) {
      documents['watcher'] = JSON.stringify(this.#watcher.state(this.#loaded.sha256));
    }
    return documents;
  }

  #lifecycle(what: 'started' | 'stopped'): void {
    const { store, clock } = this.#deps;
    this.#commit(lifecycleEvent(what, this.#facts, store.epochReason, this.#loaded, clock.nowMs()));
  }

  // Learning.

  #learn(nowMs: number): void {
    if (this.#fitting.running || this.#loaded?.slot === 'central') return;
    if (!this.#schedule.due(nowMs, this.#watcher !== null)) return;
    const { store, source, version } = this.#deps;
    const config = this.#config;
    this.#schedule.fitted(nowMs);
    const fit = fitFromStore({
      store,
      schema: source.schema,
      nowMs,
      budget: config.budget,
      renotifyMs: config.renotifyMs,
      intervalMs: config.intervalMs,
      toolVersion: version,
      seed: 1,
    });
    // A replay at full pace has no time between its samples: the model must be there for the next one.
    const finish = (outcome: FitOutcome): void => this.#finishFit(outcome, nowMs);
    if (source.kind === 'replay') finish(Fitting.atOnce(fit));
    else this.#fitting.start(fit, finish);
  }

  #finishFit(outcome: FitOutcome, nowMs: number): void {
    const { log, slots } = this.#deps;
    try {
      if ('error' in outcome) throw outcome.error;
      if (outcome.model === null) {
        this.counters.failedFits++;
        log('warning', 'model.notEnoughHistory');
        return;
      }
      const loaded = slots.install(outcome.model);
      this.counters.fits++;
      const incident = this.#watcher?.incident;
      this.#adopt(loaded, (watcher) => {
        if (incident !== undefined) watcher.takeOver(incident);
      });
      log('info', 'model.activated', { ...modelSummary(loaded), bytes: loaded.bytes });
      this.#commit(modelActivatedEvent(loaded, nowMs));
    } catch (error) {
      this.counters.failedFits++;
      log('error', 'model.fitFailed', { error: messageOf(error) });
    }
  }

  /**
   * Other settings from the next sample on: labels, budget, notices, when to learn. What stands goes on. Thresholds
   * belong to the model, so another budget is an occasion to learn anew.
   */
  reconfigure(config: AgentConfig): void {
    const before = this.#config;
    this.#config = config;
    this.#schedule.configure(config.warmupMs, config.refit);
    if (this.#watcher !== null) this.#watcher.settings = this.#settings;
    if (JSON.stringify(before.budget) !== JSON.stringify(config.budget)) this.#schedule.night();
  }

  /** The timer of the nightly refit rang. */
  night(): void {
    this.#schedule.night();
  }

  #adopt(loaded: LoadedModel, restore: (watcher: Watcher) => void): void {
    const watcher = new Watcher(loaded.model, this.#deps.source.schema, this.#settings);
    for (const row of this.#deps.store.lastSamples(WARM_ROWS)) {
      if (row.values.length === this.#deps.source.schema.length) watcher.warm(row);
    }
    restore(watcher);
    this.#loaded = loaded;
    this.#watcher = watcher;
    this.#endUnwatched(watcher);
  }

  /** An incident whose course was missed for too long can't be said to be open or over. */
  #endUnwatched(watcher: Watcher): void {
    const { standing, lastTimeMs } = watcher.incident;
    if (standing === null || lastTimeMs === null || this.#lastSample !== null) return;
    const nowMs = this.#deps.clock.nowMs();
    if (this.#deps.source.kind !== 'replay' && nowMs - lastTimeMs <= RESUME_MS) return;
    const transition = watcher.invalidate(nowMs);
    if (transition !== null) this.#onTransition(transition, watcher);
  }

  // Now and then.

  #housekeeping(nowMs: number, score: number): void {
    const { store, log } = this.#deps;
    this.#telemetry.push({
      timeMs: nowMs,
      score: Number.isFinite(score) ? score : null,
      surprise: this.#watcher?.alarm.readings[0].value ?? null,
    });
    const now = this.#deps.clock.nowMs();
    if (now - this.#lastTelemetryMs >= TELEMETRY_MS || this.#telemetry.length > 256) this.#sendTelemetry(now);
    if (Math.abs(now - this.#lastSavedMs) >= SAVE_MS) {
      this.#lastSavedMs = now;
      try {
        for (const [key, value] of Object.entries(this.#stateDocuments())) store.putState(key, value);
      } catch (error) {
        this.#degrade(error);
      }
    }
    if (Math.abs(now - this.#lastMaintainedMs) >= MAINTAIN_MS) {
      this.#lastMaintainedMs = now;
      try {
        const removed = store.maintain(nowMs);
        if (removed.samples + removed.events > 0) log('debug', 'store.retention', removed);
      } catch (error) {
        this.#degrade(error);
      }
    }
  }

  #sendTelemetry(now: number): void {
    this.#lastTelemetryMs = now;
    const points = this.#telemetry;
    this.#telemetry = [];
    const health = {
      state: this.state(),
      samples: this.counters.samples,
      gaps: this.counters.gaps,
      notStored: this.counters.notStored,
      databaseBytes: this.#deps.store.bytes(),
      pending: this.#deps.outward.pending(),
      memoryBytes: this.#deps.memoryBytes(),
    };
    const payload = JSON.stringify({
      schemaVersion: 1,
      hostId: this.#deps.hostId,
      bootId: this.#deps.bootId,
      samples: points.map(({ timeMs, score, surprise }) => ({ t: timeMs, score, surprise })),
      health,
    });
    this.#deps.outward.telemetry({ timeMs: now, payload, health });
    this.#deps.publish({ telemetry: points });
  }

  state(): AgentState {
    if (this.#watcher === null) return 'warming-up';
    return this.#watcher.incident.standing === null ? 'watching' : 'incident';
  }

  /** In a few words, for the service manager. */
  sentence(): string {
    const { deliveries } = this.#deps.outward;
    const connected = deliveries.filter(({ sink }) => sink.connected()).length;
    const sinks =
      deliveries.length === 0 ? 'no sinks' : `${connected} of ${deliveries.length} sinks connected`;
    return `${this.state()}, ${sinks}`;
  }

  /** Everything `edgewood status` shows. */
  status(): object {
    const watcher = this.#watcher;
    return statusReport({
      ...this.#deps,
      config: this.#config,
      deliveries: this.#deps.outward.deliveries,
      state: this.state(),
      nowMs: this.#deps.clock.nowMs(),
      startedMs: this.#startedMs,
      watcher,
      loaded: this.#loaded,
      next: this.#schedule.next(watcher !== null),
      fitting: this.#fitting.running,
      lastSample: this.#lastSample,
      lastScore: this.#lastScore,
      counters: this.counters,
    });
  }

  /** Saves what was learned of now, and says goodbye. */
  stop(): void {
    if (this.#stopped) return;
    this.#sendTelemetry(this.#deps.clock.nowMs());
    this.#lifecycle('stopped');
    this.#stopped = true;
    this.#fitting.giveUp();
  }
}

/** State that can't be read is as none: it is kept for comfort, not for truth. */
function parse<T>(json: string | null): T | null {
  try {
    return json === null ? null : (JSON.parse(json) as T);
  } catch {
    return null;
  }
}
