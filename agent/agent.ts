import type { SampleMeta } from '../collector/sampler.ts';
import type { Clock, Source } from '../collector/source.ts';
import type { AlertContext } from '../core/alert.ts';
import type { Transition } from '../core/incident.ts';
import type { AlertData } from '../core/protocol/events.ts';
import type { PerformanceTelemetry } from '../core/protocol/telemetry.ts';
import type { Sample } from '../core/sample.ts';
import type { Judgement, Watcher, WatcherState } from '../core/watcher.ts';
import type { ModelSlots } from '../models/slots.ts';
import type { BackgroundDependencies } from './background.ts';
import type { Central } from './central/central.ts';
import { carryOut } from './central/commands.ts';
import type { CentralHooks } from './central/start.ts';
import { Commits } from './commits.ts';
import type { AgentConfig } from './config/config.ts';
import { messageOf } from './delivery.ts';
import { type DriftDocument, DriftWatch, driftTelemetry, type NamedDecision } from './drift.ts';
import { conceptEvent, driftEvent, driftStates } from './drift-events.ts';
import {
  type AgentFacts,
  identityChangedEvent,
  lifecycleEvent,
  maintenanceEvent,
  modelActivatedEvent,
  releaseEvent,
  storeReplacedEvent,
} from './events.ts';
import type { Figures } from './figures.ts';
import type { Identity } from './identity.ts';
import { IncidentReports } from './incident-reports.ts';
import { Keeping } from './keeping.ts';
import { LEAST_TRAINING_ROWS, type LearnerState, LearningSchedule, type NextFit } from './learner.ts';
import type { Log } from './log.ts';
import { type ActiveMaintenance, Maintenance, type Snooze } from './maintenance.ts';
import { OperatorWords } from './operators.ts';
import type { Outward } from './outward.ts';
import { conceptSentence, Performance, type PerformanceDocument } from './performance.ts';
import { Retraining, type RetrainingDocument } from './retraining.ts';
import { StandingModel } from './standing-model.ts';
import { type AgentState, type StatusReport, statusReport } from './status.ts';
import { SAMPLE_AFTER_GAP, SAMPLE_EXCLUDED, SAMPLE_IN_INCIDENT, type Store } from './store/store.ts';
import { TelemetryStream } from './telemetry-stream.ts';

export interface AgentDependencies {
  readonly config: AgentConfig;
  readonly version: string;
  readonly hostId: string;
  readonly identity: Identity;
  readonly bootId: string;
  readonly source: Source;
  readonly store: Store;
  readonly slots: ModelSlots;
  readonly outward: Outward;
  readonly clock: Clock;
  readonly log: Log;
  /** Resident and proportional set size. */
  readonly memory: () => { readonly residentBytes: number; readonly proportionalBytes: number | null };
  readonly figures: Figures;
  readonly newId: () => string;
  readonly setImmediate: (callback: () => void) => void;
  /** Models from the centre; null where none is trusted. */
  readonly central: ((hooks: CentralHooks) => Central) | null;
  /** The heaviest processes of this host now; null where it is not this host that is watched. */
  readonly survey: ((settings: AgentConfig['processes']) => Promise<AlertData['processes']>) | null;
  /** Told of every committed event and every judged sample: the local API's followers. */
  readonly publish: (message: object) => void;
}

/** The daemon's heart: sample -> judgement -> store and outbox -> delivery, and learning beside it. */
export class Agent {
  readonly #deps: AgentDependencies;
  #config: AgentConfig;
  readonly #schedule: LearningSchedule;
  readonly #retraining: Retraining;
  readonly #drift: DriftWatch;
  readonly #performance: Performance;
  readonly operators: OperatorWords;
  readonly #incidents: IncidentReports;
  readonly #commits: Commits;
  readonly #keeping: Keeping;
  readonly #maintenance: Maintenance;
  readonly #startedMs: number;
  readonly #standing: StandingModel;
  readonly #telemetry: TelemetryStream;
  readonly central: Central | null;
  readonly counters = { samples: 0, judged: 0, notStored: 0, fits: 0, failedFits: 0, gaps: 0, incidents: 0 };
  #lastSample: Sample | null = null;
  #lastScore = Number.NaN;
  /** A time that retraining.schedule names has come. */
  #scheduled = false;
  #stopped = false;

  constructor(deps: AgentDependencies) {
    this.#deps = deps;
    this.#config = deps.config;
    const learner = parse<LearnerState>(deps.store.getState('learner'));
    this.#schedule = new LearningSchedule(leastWarmupMs(deps.config), deps.config.refit, learner);
    this.#startedMs = deps.clock.nowMs();
    this.#maintenance = new Maintenance(
      deps.config.maintenance,
      parse<Snooze>(deps.store.getState('snooze')),
    );
    const background = {
      monotonicMs: () => deps.clock.monotonicMs(),
      setImmediate: deps.setImmediate,
      atOnce: deps.source.kind === 'replay',
    };
    this.#drift = new DriftWatch(
      {
        ...background,
        store: deps.store,
        schema: deps.source.schema,
        log: deps.log,
        decided: (decision) => this.#onDrift(decision),
      },
      parse<DriftDocument>(deps.store.getState('drift')),
    );
    this.#performance = new Performance(
      deps.store,
      parse<PerformanceDocument>(deps.store.getState('performance')),
    );
    this.#standing = new StandingModel({
      ...background,
      ...deps,
      config: () => this.#config,
      nowMs: () => deps.clock.nowMs(),
      drift: this.#drift,
      sampling: () => this.#lastSample !== null,
      transition: (transition, watcher) => this.#onTransition(transition, watcher),
    });
    this.#retraining = new Retraining(
      {
        ...background,
        ...deps,
        counters: this.counters,
        schema: deps.source.schema,
        config: () => this.#config,
        facts: () => this.#facts,
        loaded: () => this.#standing.loaded,
        drift: this.#drift,
        commit: (event) => this.#commits.commit(event),
        watcherOf: (model) => this.#standing.watcherOf(model),
        adopt: (loaded, adoption, watcher) => void this.#standing.replace(loaded, adoption, watcher),
      },
      parse<RetrainingDocument>(deps.store.getState('retraining')),
    );
    this.#commits = new Commits({
      store: deps.store,
      clock: deps.clock,
      documents: () => this.#stateDocuments(),
      stored: (events) => {
        for (const event of events) deps.publish({ event });
        deps.outward.wake();
      },
      degrade: (error) => this.#keeping.degrade(error),
    });
    this.#keeping = new Keeping({
      ...deps,
      counters: this.counters,
      documents: () => this.#stateDocuments(),
      eventsWait: () => this.#commits.waiting,
    });
    this.#telemetry = new TelemetryStream(deps);
    this.central = deps.central?.(this.#centralHooks(background)) ?? null;
    this.operators = new OperatorWords({
      ...deps,
      verdicts: this.#performance.verdicts,
      facts: () => this.#facts,
      commit: (event) => this.#commits.commit(event),
      incidentsFromMs: () => this.#sampledMs() - this.#config.limits.eventRetentionMs,
      judged: (nowMs) => this.#judgeConcept(nowMs),
    });
    this.#incidents = new IncidentReports({
      ...deps,
      commits: this.#commits,
      processes: () => this.#config.processes,
      context: () => this.#alertContext(),
    });
  }

  #centralHooks(background: BackgroundDependencies): CentralHooks {
    const { store, slots, clock, hostId, bootId, version, source, memory } = this.#deps;
    const { schema } = source;
    return {
      ...background,
      site: this.#config.site,
      hostId,
      bootId,
      version,
      slots,
      nowMs: () => clock.nowMs(),
      host: { store, schema, watcherOf: (model) => this.#standing.watcherOf(model) },
      budget: () => this.#config.budget,
      labels: () => this.#config.labels,
      loaded: () => this.#standing.loaded,
      residentBytes: () => memory().residentBytes,
      adopt: (loaded, warm) => {
        this.#retraining.giveUp();
        if (loaded === null) return this.#standing.leave();
        const before = this.#standing.replace(loaded, 'fresh', warm);
        this.#commits.commit(modelActivatedEvent(loaded, clock.nowMs()));
        return before;
      },
      told: (about) => {
        this.#commits.commit(releaseEvent(this.#facts, about, clock.nowMs()));
      },
      command: (document) => {
        const breathe = (): Promise<void> => new Promise((resolve) => this.#deps.setImmediate(resolve));
        return carryOut(document, { store, schema, clock, breathe, agent: this });
      },
    };
  }

  get #facts(): AgentFacts {
    return { ...this.#deps, config: this.#config, sourceKind: this.#deps.source.kind };
  }

  /** Takes up what was learned and what stood before a restart, and tells that the agent is here. */
  start(): void {
    const { store, slots, log } = this.#deps;
    const loaded = slots.load(
      (slot, fault) => log('error', 'model.unusable', { slot, fault }),
      (sha256) => this.central?.mayRun(sha256) ?? false,
    );
    if (loaded !== null) {
      const state = parse<WatcherState>(store.getState('watcher'));
      const watcher = this.#standing.warmed(loaded.model);
      try {
        if (state !== null) watcher.restore(state, loaded.sha256);
      } catch (error) {
        log('warning', 'state.unusable', { error: messageOf(error) });
      }
      this.#standing.adopt(loaded, 'restart', watcher);
      log('info', 'model.loaded', {
        name: loaded.model.provenance.name,
        version: loaded.model.provenance.version,
      });
    }
    const { epochReason, findings } = store;
    const changed = identityChangedEvent(this.#facts, this.#deps.identity, this.#deps.clock.nowMs());
    if (changed !== null) this.#commits.commit(changed);
    if (['lost', 'restored', 'quarantined'].includes(epochReason)) {
      this.#commits.commit(storeReplacedEvent(this.#facts, epochReason, findings, this.#deps.clock.nowMs()));
    }
    this.#lifecycle('started');
    this.central?.start();
    this.#deps.outward.wake();
  }

  /** One sample, synchronously from reading to the durable outbox. */
  onSample(sample: Sample, meta: Pick<SampleMeta, 'failed' | 'readMs' | 'lateMs'>): void {
    if (this.#stopped) return;
    this.counters.samples++;
    const { figures } = this.#deps;
    figures.record('sample', meta.readMs);
    figures.record('loopLag', meta.lateMs);
    const gap = this.#afterGap(sample);
    this.#commits.flush();
    this.#lastSample = sample;
    this.#followMaintenance(sample.timeMs);
    if (!meta.failed) this.#schedule.sampled(sample.timeMs);
    this.#learn(sample.timeMs);
    const watcher = this.#standing.watcher;
    let score = Number.NaN;
    let standing = false;
    let opened = false;
    let judged: Judgement | null = null;
    const gate = this.#maintenance.active.length > 0 ? 'maintenance' : 'open';
    if (watcher !== null) {
      const judgement = figures.time('score', () => watcher.step(sample, gate, this.#deps.newId));
      this.counters.judged++;
      judged = judgement;
      score = judgement.score;
      standing = watcher.incident.standing !== null;
      opened = judgement.transition?.state === 'opened';
      if (judgement.transition !== null) this.#onTransition(judgement.transition, watcher);
    }
    this.#lastScore = score;
    this.#keep(sample, score, standing, gap);
    if (opened) this.#onOpened(sample.timeMs);
    if (watcher !== null && watcher === this.#standing.watcher)
      this.#follow(sample.timeMs, watcher, score, standing);
    this.central?.judged(sample, gate, judged);
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
    return this.#standing.loaded?.model.provenance.intervalMs ?? this.#config.intervalMs;
  }

  #keep(sample: Sample, score: number, standing: boolean, gap: boolean): void {
    const excluded = this.#maintenance.excluded ? SAMPLE_EXCLUDED : 0;
    const flags = (standing ? SAMPLE_IN_INCIDENT : 0) | (gap ? SAMPLE_AFTER_GAP : 0) | excluded;
    this.#keeping.sample(sample, score, flags);
  }

  #follow(timeMs: number, watcher: Watcher, score: number, standing: boolean): void {
    const leftOut = standing || this.#maintenance.excluded;
    this.#drift.sample(timeMs, watcher.values, score, leftOut);
  }

  #onOpened(timeMs: number): void {
    this.#performance.incidentOpened(timeMs);
    this.#retraining.incidentOpened(timeMs);
    this.#judgeConcept(timeMs);
  }

  #judgeConcept(nowMs: number): void {
    if (this.#standing.loaded === null) return;
    const { sha256, model } = this.#standing.loaded;
    const subject = { sha256, trainedToMs: model.provenance.trainedToMs };
    const inputDrift = this.#drift.phase !== 'steady';
    const judgement = this.#performance.judge(subject, this.#config.budget.infoPerDay, inputDrift, nowMs);
    if (judgement === null) return;
    const sentence = conceptSentence(judgement, this.#performance.document.openings.length);
    this.#commits.commit(conceptEvent(this.#facts, sentence, this.#drift.severity ?? 1, sha256, nowMs));
    this.#deps.log('warning', 'drift.concept', { signs: judgement.signs, sentence });
  }

  #onDrift(decision: NamedDecision): void {
    for (const state of driftStates(decision)) {
      const { event, about } = driftEvent(this.#facts, state, decision);
      this.#commits.commit(event);
      const { severity, kinds, sentence } = about;
      this.#deps.log(state === 'ended' ? 'info' : 'warning', `drift.${state}`, { severity, kinds, sentence });
      if (state === 'retrain') {
        this.#retraining.onDrift(sentence, decision.sinceMs, decision.decision.atMs);
      }
    }
  }

  #followMaintenance(nowMs: number): void {
    this.#maintenance.follow(nowMs, (state, what) => {
      this.#commits.commit(maintenanceEvent(this.#facts, state, what, nowMs));
      const { kind, name, untilMs } = what;
      this.#deps.log('info', `maintenance.${state}`, { kind, name, until: new Date(untilMs).toISOString() });
    });
  }

  /**
   * No alerts for a while; null: again, at once.
   * @throws StoreFullError where it could not be kept over a restart
   */
  snooze(snooze: Snooze | null): readonly ActiveMaintenance[] {
    this.#deps.store.putState('snooze', JSON.stringify(snooze));
    this.#maintenance.snooze = snooze;
    this.#followMaintenance(this.#deps.clock.nowMs());
    return this.#maintenance.active;
  }

  #onTransition(transition: Transition, watcher: Watcher): void {
    if (transition.state === 'opened') this.counters.incidents++;
    this.#incidents.tell(transition, watcher);
  }

  #alertContext(): AlertContext {
    const { hostId, version, source } = this.#deps;
    const config = this.#config;
    return {
      host: { id: hostId, name: config.hostName, labels: config.labels },
      agentVersion: version,
      modelSha256: this.#standing.loaded?.sha256 ?? '',
      modelAlias: this.#standing.loaded?.slot === 'central' ? 'production' : null,
      replayed: source.kind === 'replay',
      warmingUp: false,
      maintenance: this.#maintenance.active.length > 0,
      driftSeverity: this.#drift.severity,
      processes: null,
    };
  }

  #stateDocuments(): Record<string, string> {
    const documents: Record<string, string> = { learner: JSON.stringify(this.#schedule.state) };
    if (this.#standing.watcher !== null && this.#standing.loaded !== null) {
      documents['watcher'] = JSON.stringify(this.#standing.watcher.state(this.#standing.loaded.sha256));
    }
    documents['performance'] = JSON.stringify(this.#performance.document);
    documents['retraining'] = JSON.stringify(this.#retraining.document);
    const { document } = this.#drift;
    if (document !== null) documents['drift'] = JSON.stringify(document);
    return documents;
  }

  #lifecycle(what: 'started' | 'stopped'): void {
    const { store, clock } = this.#deps;
    this.#commits.commit(
      lifecycleEvent(what, this.#facts, store.epochReason, this.#standing.loaded, clock.nowMs()),
    );
  }

  // Learning.

  #learn(nowMs: number): void {
    const retraining = this.#retraining;
    if (retraining.running || this.#standing.loaded?.slot === 'central') return;
    const hasModel = this.#standing.watcher !== null;
    const scheduled = this.#scheduled && hasModel;
    if (!scheduled && !this.#schedule.due(nowMs, hasModel)) return;
    this.#scheduled = false;
    const { kind } = this.#schedule.next(hasModel);
    this.#schedule.fitted(nowMs);
    retraining.fit(kind === 'first' || kind === 'widening' ? kind : 'schedule', '', nowMs);
  }

  /** A new model, as somebody asked. @throws Error in plain words where it can't be */
  retrain(why: string): object {
    return this.#retraining.onCommand(why, this.#deps.clock.nowMs());
  }

  /** The model before, as somebody asked. @throws Error in plain words where there is none */
  rollback(why: string): object {
    return this.#retraining.rollback(why, this.#deps.clock.nowMs());
  }

  /**
   * Other settings from the next sample on: labels, budget, notices, when to learn. What stands goes on. Thresholds
   * belong to the model, so another budget is an occasion to learn anew.
   */
  reconfigure(config: AgentConfig): void {
    const before = this.#config;
    this.#config = config;
    this.#schedule.configure(leastWarmupMs(config), config.refit);
    this.#maintenance.configure(config.maintenance);
    this.#standing.configure();
    if (JSON.stringify(before.budget) !== JSON.stringify(config.budget)) this.#schedule.night();
  }

  /** The timer of refits rang. */
  night(): void {
    const { refit, retraining } = this.#config;
    if (retraining.mode !== 'local') return;
    // Learning by itself is off, but somebody has named a time.
    if (refit === 'off' && retraining.schedule !== null) this.#scheduled = true;
    else this.#schedule.night();
  }

  // Now and then.

  #housekeeping(nowMs: number, score: number): void {
    const now = this.#deps.clock.nowMs();
    this.#telemetry.push(nowMs, score, this.#standing.watcher?.alarm.surpriseValue ?? null);
    if (this.#telemetry.due(now)) this.#sendTelemetry(now);
    this.#keeping.nowAndThen(nowMs);
  }

  #sendTelemetry(now: number): void {
    this.#telemetry.send(now, {
      counters: this.counters,
      state: this.state(),
      modelTrainedTo: this.#standing.loaded?.model.provenance.trainedToMs ?? null,
      driftSeverity: this.#drift.severity,
      drift: () => driftTelemetry(this.#drift.report()),
      performance: () => this.#performanceReport(),
    });
  }

  #performanceReport(): PerformanceTelemetry {
    return this.#performance.report(this.#sampledMs(), this.#retraining.document.history);
  }

  /** How well it watched in the week, and the month, of a time. */
  performanceAt(timeMs: number): ReturnType<Performance['at']> {
    return this.#performance.at(timeMs, this.#retraining.document.history);
  }

  /** A replay's past is its present. */
  #sampledMs(): number {
    return this.#lastSample?.timeMs ?? this.#deps.clock.nowMs();
  }

  state(): AgentState {
    if (this.#standing.watcher === null) return 'warming-up';
    if (this.#maintenance.active.length > 0) return 'maintenance';
    return this.#standing.watcher.incident.standing === null ? 'watching' : 'incident';
  }

  /** Events that a full disk has cost. */
  get lostEvents(): number {
    return this.#commits.lost;
  }

  /** In a few words, for the service manager. */
  sentence(): string {
    const { deliveries } = this.#deps.outward;
    const connected = deliveries.filter(({ sink }) => sink.connected()).length;
    const sinks =
      deliveries.length === 0 ? 'no sinks' : `${connected} of ${deliveries.length} sinks connected`;
    return `${this.state()}, ${sinks}`;
  }

  #next(): NextFit {
    const next = this.#schedule.next(this.#standing.watcher !== null);
    const nightly = this.#config.retraining.mode === 'local';
    return next.kind === 'nightly' && !nightly ? { kind: 'none', dueMs: null } : next;
  }

  /** Everything `edgewood status` shows. */
  status(): StatusReport {
    const watcher = this.#standing.watcher;
    return statusReport({
      ...this.#deps,
      config: this.#config,
      deliveries: this.#deps.outward.deliveries,
      state: this.state(),
      nowMs: this.#deps.clock.nowMs(),
      startedMs: this.#startedMs,
      watcher,
      loaded: this.#standing.loaded,
      next: this.#next(),
      fitting: this.#retraining.running,
      drift: this.#drift.report(),
      performance: this.#performanceReport(),
      central: this.central?.reported() ?? (this.#config.central === null ? null : { unavailable: true }),
      retraining: { ...this.#config.retraining, history: this.#retraining.document.history },
      maintenance: this.#maintenance.active,
      lastSample: this.#lastSample,
      lastScore: this.#lastScore,
      counters: { ...this.counters, lostEvents: this.lostEvents },
    });
  }

  /** Saves what was learned of now, and says goodbye. */
  stop(): void {
    if (this.#stopped) return;
    this.#sendTelemetry(this.#deps.clock.nowMs());
    this.#lifecycle('stopped');
    this.#commits.finish();
    this.#stopped = true;
    this.#retraining.giveUp();
    this.#standing.stop();
    this.#drift.stop();
    this.central?.stop();
  }
}

/** Fewer samples than a model needs are no promise: the first sample stands at the beginning. */
const leastWarmupMs = ({ warmupMs, intervalMs }: AgentConfig): number =>
  Math.max(warmupMs, LEAST_TRAINING_ROWS * intervalMs);

/** State that can't be read is as none: it is kept for comfort, not for truth. */
function parse<T>(json: string | null): T | null {
  try {
    return json === null ? null : (JSON.parse(json) as T);
  } catch {
    return null;
  }
}
