import type { SampleMeta } from '../collector/sampler.ts';
import type { Clock, Source } from '../collector/source.ts';
import { alertData } from '../core/alert.ts';
import { runToEnd, type Stepwise } from '../core/features.ts';
import { INCIDENT_DEFAULTS, type IncidentSettings, type Transition } from '../core/incident.ts';
import type { Model } from '../core/model.ts';
import { EVENT_TYPES, type StoredEvent } from '../core/protocol/events.ts';
import type { Sample } from '../core/sample.ts';
import { Watcher, type WatcherState } from '../core/watcher.ts';
import type { LoadedModel, ModelSlots } from '../models/slots.ts';
import type { AgentConfig } from './config/config.ts';
import { type Delivery, messageOf } from './delivery.ts';
import { fitFromStore, type LearnerState, LearningSchedule } from './learner.ts';
import type { Log } from './log.ts';
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
/** A fit runs in slices of this many milliseconds between samples. */
const FIT_SLICE_MS = 8;
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
  readonly deliveries: readonly Delivery[];
  readonly clock: Clock;
  readonly log: Log;
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
  readonly #settings: IncidentSettings;
  readonly #schedule: LearningSchedule;
  readonly #startedMs: number;
  readonly counters = { samples: 0, judged: 0, notStored: 0, fits: 0, failedFits: 0, gaps: 0, lostEvents: 0 };
  #loaded: LoadedModel | null = null;
  #watcher: Watcher | null = null;
  #fit: Stepwise<Model | null> | null = null;
  #lastSample: Sample | null = null;
  #lastScore = Number.NaN;
  #lastSavedMs = 0;
  #lastMaintainedMs = 0;
  #lastTelemetryMs = 0;
  #telemetry: TelemetryPoint[] = [];
  #storeFull = false;
  /** What the store has not taken yet, oldest first: more than the change at hand only while the disk is full. */
  #unstored: Change[] = [];
  #stopped = false;

  constructor(deps: AgentDependencies) {
    this.#deps = deps;
    this.#settings = {
      ...INCIDENT_DEFAULTS,
      renotifyMs: deps.config.renotifyMs,
      infoPerDay: deps.config.budget.infoPerDay,
    };
    const learner = parse<LearnerState>(deps.store.getState('learner'));
    this.#schedule = new LearningSchedule(deps.config.warmupMs, deps.config.refit, learner);
    this.#startedMs = deps.clock.nowMs();
  }

  /** Takes up what was learned and what stood before a restart, and tells that the agent is here. */
  start(): void {
    const { store, slots, log } = this.#deps;
    const loaded = slots.load((slot, fault) => log('error', 'model.unusable', { slot, fault }));
    if (loaded !== null) {
      const state = parse<WatcherState>(store.getState('watcher'));
      this.#adopt(loaded, (watcher) => {
        if (state !== null) watcher.restore(state, loaded.sha256);
      });
      log('info', 'model.loaded', {
        name: loaded.model.provenance.name,
        version: loaded.model.provenance.version,
      });
    }
    this.#commit(this.#lifecycleEvent('started'));
    for (const delivery of this.#deps.deliveries) delivery.wake();
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
    return this.#loaded?.model.provenance.intervalMs ?? this.#deps.config.intervalMs;
  }

  #keep(sample: Sample, score: number, standing: boolean, gap: boolean): void {
    try {
      this.#deps.store.appendSample({
        timeMs: sample.timeMs,
        values: sample.values,
        score,
        flags: (standing ? SAMPLE_IN_INCIDENT : 0) | (gap ? SAMPLE_AFTER_GAP : 0),
      });
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
    const { config, hostId, version, source } = this.#deps;
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
    const { store, deliveries, publish } = this.#deps;
    const changes = this.#unstored;
    let stored: StoredEvent[];
    try {
      stored = store.commitTransition({
        events: changes.map(({ event }) => event),
        incidents: (events) => events.flatMap((event, i) => changes[i]?.row?.(event) ?? []),
        state: this.#stateDocuments(),
      });
    } catch (error) {
      this.#degrade(error);
      while (changes.length > MAX_UNSTORED) {
        changes.shift();
        this.counters.lostEvents++;
      }
      return;
    }
    this.#unstored = [];
    for (const event of stored) publish({ event });
    for (const delivery of deliveries) delivery.wake();
  }

  #stateDocuments(): Record<string, string> {
    const documents: Record<string, string> = { learner: JSON.stringify(this.#schedule.state) };
    if (this.#watcher !== null && this.#loaded !== null) {
      documents['watcher'] = JSON.stringify(this.#watcher.state(this.#loaded.sha256));
    }
    return documents;
  }

  #lifecycleEvent(what: 'started' | 'stopped'): NewEvent {
    const { bootId, version, hostId, config, source } = this.#deps;
    return {
      type: EVENT_TYPES[what],
      severity: null,
      timeMs: this.#deps.clock.nowMs(),
      subject: null,
      data: (sequence) =>
        JSON.stringify({
          schemaVersion: 1,
          sequence,
          bootId,
          agentVersion: version,
          host: { id: hostId, name: config.hostName, labels: config.labels },
          source: source.kind,
          epochReason: this.#deps.store.epochReason,
          model: this.#loaded === null ? null : this.#modelSummary(this.#loaded),
        }),
    };
  }

  #modelSummary(loaded: LoadedModel): object {
    const { provenance, thresholds } = loaded.model;
    return {
      name: provenance.name,
      version: provenance.version,
      sha256: loaded.sha256,
      rows: provenance.rows,
      trainedFrom: new Date(provenance.trainedFromMs).toISOString(),
      trainedTo: new Date(provenance.trainedToMs).toISOString(),
      provisional: thresholds.surprise.provisional || thresholds.forest.provisional,
    };
  }

  // Learning.

  #learn(nowMs: number): void {
    if (this.#fit !== null || this.#loaded?.slot === 'central') return;
    if (!this.#schedule.due(nowMs, this.#watcher !== null)) return;
    const { config, store, source, version } = this.#deps;
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
    if (source.kind === 'replay') this.#finishFit(() => runToEnd(fit), nowMs);
    else {
      this.#fit = fit;
      this.#stepFit(nowMs);
    }
  }

  #stepFit(nowMs: number): void {
    const { clock } = this.#deps;
    this.#deps.setImmediate(() => {
      const fit = this.#fit;
      if (fit === null || this.#stopped) return;
      const end = clock.monotonicMs() + FIT_SLICE_MS;
      try {
        do {
          const step = fit.next();
          if (step.done === true) {
            this.#fit = null;
            this.#finishFit(() => step.value, nowMs);
            return;
          }
        } while (clock.monotonicMs() < end);
      } catch (error) {
        this.#fit = null;
        this.#finishFit(() => {
          throw error;
        }, nowMs);
        return;
      }
      this.#stepFit(nowMs);
    });
  }

  #finishFit(result: () => Model | null, nowMs: number): void {
    const { log, slots } = this.#deps;
    try {
      const model = result();
      if (model === null) {
        this.counters.failedFits++;
        log('warning', 'model.notEnoughHistory');
        return;
      }
      const loaded = slots.install(model);
      this.counters.fits++;
      const incident = this.#watcher?.incident;
      this.#adopt(loaded, (watcher) => {
        if (incident !== undefined) watcher.takeOver(incident);
      });
      const summary = this.#modelSummary(loaded);
      log('info', 'model.activated', { ...summary, bytes: loaded.bytes });
      this.#commit({
        type: EVENT_TYPES.modelActivated,
        severity: null,
        timeMs: nowMs,
        subject: null,
        data: (sequence) => JSON.stringify({ schemaVersion: 1, sequence, slot: loaded.slot, model: summary }),
      });
    } catch (error) {
      this.counters.failedFits++;
      log('error', 'model.fitFailed', { error: messageOf(error) });
    }
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
    const payload = JSON.stringify({
      schemaVersion: 1,
      hostId: this.#deps.hostId,
      bootId: this.#deps.bootId,
      samples: points.map(({ timeMs, score, surprise }) => ({ t: timeMs, score, surprise })),
      health: {
        state: this.state(),
        samples: this.counters.samples,
        gaps: this.counters.gaps,
        notStored: this.counters.notStored,
        databaseBytes: this.#deps.store.bytes(),
        pending: this.#deps.deliveries.reduce(
          (sum, d) => sum + this.#deps.store.outbox(d.sink.name).pending,
          0,
        ),
      },
    });
    for (const { sink } of this.#deps.deliveries) sink.telemetry({ timeMs: now, payload });
    this.#deps.publish({ telemetry: points });
  }

  state(): 'warming-up' | 'watching' | 'incident' {
    if (this.#watcher === null) return 'warming-up';
    return this.#watcher.incident.standing === null ? 'watching' : 'incident';
  }

  /** Everything `edgewood status` shows. */
  status(): object {
    const { config, version, hostId, bootId, source, store, deliveries, clock } = this.#deps;
    const watcher = this.#watcher;
    const next = this.#schedule.next(watcher !== null);
    return {
      state: this.state(),
      version,
      host: { id: hostId, name: config.hostName, site: config.site, labels: config.labels },
      bootId,
      nowMs: clock.nowMs(),
      startedMs: this.#startedMs,
      next,
      fitting: this.#fit !== null,
      intervalMs: config.intervalMs,
      source: { kind: source.kind, description: source.describe(), faults: source.faults() },
      metrics: source.schema.map((metric, i) => ({
        name: metric.name,
        label: metric.label,
        unit: metric.unit,
        value: finiteOrNull(this.#lastSample?.values[i] ?? Number.NaN),
      })),
      sampledAtMs: this.#lastSample?.timeMs ?? null,
      score: finiteOrNull(this.#lastScore),
      triggers:
        watcher?.alarm.readings.map(({ name, value, thresholds }) => ({ name, value, thresholds })) ?? [],
      guard: watcher?.incident.guard ?? 0,
      model: this.#loaded === null ? null : { slot: this.#loaded.slot, ...this.#modelSummary(this.#loaded) },
      incident: watcher?.incident.standing ?? null,
      budget: config.budget,
      counters: this.counters,
      store: {
        epoch: store.epoch,
        epochReason: store.epochReason,
        bytes: store.bytes(),
        samples: store.sampleCount(),
      },
      sinks: deliveries.map(({ sink, delivered, poisoned }) => ({
        ...sink.status(),
        delivered,
        poisoned,
        outbox: store.outbox(sink.name),
      })),
    };
  }

  /** Saves what was learned of now, and says goodbye. */
  stop(): void {
    if (this.#stopped) return;
    this.#sendTelemetry(this.#deps.clock.nowMs());
    this.#commit(this.#lifecycleEvent('stopped'));
    this.#stopped = true;
  }
}

const finiteOrNull = (x: number): number | null => (Number.isFinite(x) ? x : null);

function parse<T>(json: string | null): T | null {
  return json === null ? null : (JSON.parse(json) as T);
}
