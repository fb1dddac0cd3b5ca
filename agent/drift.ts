import { isFilled, judgeWindow, type StreamJudgement } from '../core/drift/decision.ts';
import { type DriftDecision, DriftMonitor, type DriftPhase, type DriftState } from '../core/drift/monitor.ts';
import { isProvisional } from '../core/drift/reference.ts';
import { exceedanceOf } from '../core/drift/significance.ts';
import type { Stepwise } from '../core/features.ts';
import type { DriftFault, DriftStream, DriftTelemetry } from '../core/protocol/drift.ts';
import type { MetricSchema } from '../core/sample.ts';
import type { LoadedModel } from '../models/slots.ts';
import { Background, type BackgroundDependencies } from './background.ts';
import { messageOf } from './delivery.ts';
import type { Log } from './log.ts';
import { Rescored } from './rescored.ts';
import { SAMPLE_EXCLUDED, SAMPLE_IN_INCIDENT, type Store } from './store/store.ts';

/** D and thresholds told are at most this old; decisions are taken from those of the moment. */
const JUDGED_MS = 60_000;
/** Of a refill, between two looks at the clock: some 0.2 ms each. */
const ROWS_PER_STEP = 4;
/** A refill also covers the half window before, whose values beyond the knots still count. */
const REFILLED_WINDOWS = 1.5;
/** Rows before those, for the detector's own windows. */
const WARM_ROWS = 320;

/** What survives a restart, as JSON. */
export interface DriftDocument {
  readonly monitor: DriftState;
  /** Names of the streams that the monitor's streaks are of. */
  readonly streams: readonly string[];
  /** Faults of sensors that were told of. */
  readonly faults: readonly string[];
  /** A reference from before this time is another regime's: a new model was asked for because of drift. */
  readonly referenceFromMs: number | null;
}

/** What a decision is about, in names. */
export interface NamedDecision {
  readonly decision: DriftDecision;
  readonly sinceMs: number | null;
  readonly windowMs: number;
  readonly streams: readonly DriftStream[];
  readonly faults: readonly DriftFault[];
  /** Some fault is new. */
  readonly newFaults: boolean;
  readonly modelSha256: string;
}

export interface DriftDependencies extends BackgroundDependencies {
  readonly store: Store;
  /** Of the stored samples. */
  readonly schema: MetricSchema;
  readonly log: Log;
  readonly decided: (decision: NamedDecision) => void;
}

export type DriftReport = Omit<DriftTelemetry, 'streams'> & {
  readonly phase: DriftPhase;
  readonly provisional: boolean;
  readonly sinceMs: number | null;
  readonly windowMs: number;
  /** A whole window is there to be judged. */
  readonly filled: boolean;
  readonly nextDecisionMs: number | null;
  readonly lastRequestMs: number | null;
  /** The farthest from its reference first. */
  readonly streams: readonly DriftStream[];
};

/** Why another model watches. `same`: the host's own, fitted anew as it is every night: what drifts goes on drifting. */
export type Adoption = 'restart' | 'same' | 'fresh';

/** The live host against the reference of the model that watches it; silent where the model has none. */
export class DriftWatch {
  readonly #deps: DriftDependencies;
  readonly #refill: Background<DriftDecision[]>;
  #document: DriftDocument | null;
  #monitor: DriftMonitor | null = null;
  #judged: {
    readonly windows: DriftMonitor['windows'];
    readonly endMs: number;
    readonly streams: readonly DriftStream[];
  } | null = null;
  #loaded: LoadedModel | null = null;
  #told: readonly string[] = [];

  constructor(deps: DriftDependencies, document: DriftDocument | null) {
    this.#deps = deps;
    this.#document = document;
    this.#told = document?.faults ?? [];
    this.#refill = new Background(deps);
  }

  /** To be stored; null while there was nothing to watch. */
  get document(): DriftDocument | null {
    if (this.#monitor === null || this.#loaded === null) return this.#document;
    const { state } = this.#monitor;
    if (this.#document?.monitor !== state || this.#document.faults !== this.#told) {
      this.#document = {
        monitor: state,
        streams: namesOf(this.#loaded.model.schema),
        faults: this.#told,
        referenceFromMs: this.#document?.referenceFromMs ?? null,
      };
    }
    return this.#document;
  }

  get referenceFromMs(): number | null {
    return this.#document?.referenceFromMs ?? null;
  }

  set referenceFromMs(timeMs: number | null) {
    const { document } = this;
    if (document !== null) this.#document = { ...document, referenceFromMs: timeMs };
  }

  get phase(): DriftPhase {
    return this.#monitor?.state.phase ?? 'steady';
  }

  get sinceMs(): number | null {
    return this.#monitor?.state.sinceMs ?? null;
  }

  /** From here on this model's reference counts. The windows are filled anew from what is stored, in slices. */
  adopt(loaded: LoadedModel, adoption: Adoption, newestMs: number | null): void {
    const before = this.document;
    this.#refill.giveUp();
    this.#monitor = null;
    this.#loaded = loaded;
    const { drift, provenance, schema } = loaded.model;
    if (drift === null) return;
    const monitor = new DriftMonitor(
      drift,
      provenance.intervalMs,
      loaded.sha256,
      savedState(before, loaded, adoption, newestMs),
    );
    this.#monitor = monitor;
    if (newestMs === null) return;
    const fromMs = newestMs - REFILLED_WINDOWS * drift.windowMs;
    const reader = new Rescored(loaded.model, this.#deps.schema);
    this.#refill.start(this.#fill(monitor, reader, fromMs), (outcome) => {
      if ('error' in outcome) this.#deps.log('error', 'drift.failed', { error: messageOf(outcome.error) });
      else this.#tellAll(outcome.value, monitor, namesOf(schema));
    });
  }

  /** Goes on until there is no newer row: those stored meanwhile are taken from the store, too. */
  *#fill(monitor: DriftMonitor, reader: Rescored, fromMs: number): Stepwise<DriftDecision[]> {
    const decisions: DriftDecision[] = [];
    let nextMs = fromMs - WARM_ROWS * (this.#loaded as LoadedModel).model.provenance.intervalMs;
    for (let rows = 1; rows > 0; ) {
      rows = 0;
      for (const row of this.#deps.store.samples(nextMs, Number.MAX_SAFE_INTEGER)) {
        const { timeMs } = row;
        const score = monitor.windows.enters(timeMs) ? reader.score(row) : reader.pass(row);
        const inIncident = (row.flags & (SAMPLE_IN_INCIDENT | SAMPLE_EXCLUDED)) !== 0;
        if (timeMs >= fromMs)
          decisions.push(...monitor.update({ timeMs, values: reader.values, score, inIncident }));
        nextMs = row.timeMs + 1;
        if (++rows % ROWS_PER_STEP === 0) yield;
      }
    }
    return decisions;
  }

  /**
   * A sample, after it was stored: while the windows are refilled, it is taken from there.
   * @param values in the model's schema order
   * @param leftOut an incident is open, or nobody shall learn from this time
   */
  sample(timeMs: number, values: ArrayLike<number>, score: number, leftOut: boolean): void {
    if (this.#monitor === null || this.#loaded === null || this.#refill.running) return;
    const decisions = this.#monitor.update({ timeMs, values, score, inIncident: leftOut });
    if (decisions.length > 0) this.#tellAll(decisions, this.#monitor, namesOf(this.#loaded.model.schema));
  }

  /** What is done about one of them may be another model: the rest was not decided of that. */
  #tellAll(decisions: readonly DriftDecision[], monitor: DriftMonitor, names: readonly string[]): void {
    for (const decision of decisions) if (this.#monitor === monitor) this.#tell(decision, names);
  }

  #tell(decision: DriftDecision, names: readonly string[]): void {
    const monitor = this.#monitor as DriftMonitor;
    const { model, sha256 } = this.#loaded as LoadedModel;
    const faults = decision.faults.map(({ fault, stream }) => ({
      fault,
      metric: stream === null ? null : (names[stream] ?? null),
    }));
    const keys = faults.map(({ fault, metric }) => `${fault} ${metric ?? ''}`);
    const newFaults = keys.some((key) => !this.#told.includes(key));
    if (decision.unjudged !== 'filling' && keys.join() !== this.#told.join()) this.#told = keys;
    this.#deps.decided({
      decision,
      sinceMs: monitor.state.sinceMs,
      windowMs: monitor.windows.reference.windowMs,
      streams: scoreLast(named(decision.streams, model.schema).filter(({ over }) => over)),
      faults,
      newFaults,
      modelSha256: sha256,
    });
  }

  get severity(): number | null {
    const monitor = this.#monitor;
    return monitor === null || this.#refill.running || !isFilled(monitor.windows)
      ? null
      : monitor.state.severity;
  }

  /** D as it stands now; null where the model has no reference. */
  report(): DriftReport | null {
    const monitor = this.#monitor;
    if (monitor === null || this.#loaded === null) return null;
    const { windows, state } = monitor;
    const { reference, strideMs, endMs } = windows;
    const filled = !this.#refill.running && isFilled(windows);
    return {
      phase: state.phase,
      severity: this.severity,
      provisional: isProvisional(reference),
      sinceMs: state.sinceMs,
      windowMs: reference.windowMs,
      filled,
      nextDecisionMs: Number.isNaN(endMs) ? null : (Math.floor(endMs / strideMs) + 1) * strideMs,
      lastRequestMs: state.lastRequestMs,
      streams: filled ? this.#streams(windows, this.#loaded.model.schema) : [],
    };
  }

  /** Thresholds are found by search, some milliseconds for all: telemetry would ask each ten seconds. */
  #streams(windows: DriftMonitor['windows'], schema: MetricSchema): readonly DriftStream[] {
    const judged = this.#judged;
    const age = windows.endMs - (judged?.endMs ?? Number.NaN);
    if (judged !== null && judged.windows === windows && age >= 0 && age < JUDGED_MS) return judged.streams;
    const streams = named(judgeWindow(windows), schema);
    this.#judged = { windows, endMs: windows.endMs, streams };
    return streams;
  }

  stop(): void {
    this.#refill.giveUp();
  }
}

/** What goes out now and then: nothing before a window is full. */
export function driftTelemetry(report: DriftReport | null): DriftTelemetry | null {
  if (report === null || !report.filled) return null;
  const { phase, severity } = report;
  const streams = report.streams.map(({ name, d, threshold, over }) => ({ name, d, threshold, over }));
  return { phase, severity, streams };
}

const namesOf = (schema: MetricSchema): string[] => [...schema.map(({ name }) => name), 'score'];

/** What was decided under the model before; null where nothing of it may count but the time from which to decide. */
function savedState(
  before: DriftDocument | null,
  { sha256, model }: LoadedModel,
  adoption: Adoption,
  newestMs: number | null,
): DriftState | null {
  const names = namesOf(model.schema);
  if (before === null) {
    // What lies before the first model with a reference has been learned from: nothing is decided of it.
    return newestMs === null ? null : { ...UNDECIDED, model: '', lastDecisionMs: newestMs };
  }
  const sameStreams = before.streams.join('\n') === names.join('\n');
  if (adoption === 'same' && sameStreams) return { ...before.monitor, model: sha256 };
  if (adoption === 'restart' && before.monitor.model === sha256) return before.monitor;
  return { ...before.monitor, model: '', lastDecisionMs: newestMs ?? before.monitor.lastDecisionMs };
}

const UNDECIDED: Omit<DriftState, 'model' | 'lastDecisionMs'> = {
  phase: 'steady',
  streaks: [],
  cleanDecisions: 0,
  sinceMs: null,
  severity: 1,
  lastRequestMs: null,
};

function named(judgements: readonly StreamJudgement[], schema: MetricSchema): DriftStream[] {
  return judgements
    .map((judgement, stream) => {
      const metric = schema[stream] ?? { name: 'score', label: 'anomaly score', unit: '' };
      const { d, threshold, over, direction, shift, shiftThreshold, effect, unjudged } = judgement;
      return {
        name: metric.name,
        label: metric.label,
        unit: metric.unit,
        d: finiteOrNull(d),
        threshold: finiteOrNull(threshold),
        over,
        direction,
        shift: finiteOrNull(shift),
        shiftThreshold: finiteOrNull(shiftThreshold),
        effect: finiteOrNull(effect),
        unjudged,
      };
    })
    .sort((a, b) => farness(b) - farness(a));
}

/** What moved is of more use to people than what the model makes of it. */
const scoreLast = (streams: readonly DriftStream[]): DriftStream[] => [
  ...streams.filter(({ name }) => name !== 'score'),
  ...streams.filter(({ name }) => name === 'score'),
];

/** Judged ones first, by D or shift as a share of its threshold. */
const farness = (stream: DriftStream): number => (stream.unjudged !== null ? -1 : exceedanceOf(stream));

const finiteOrNull = (x: number): number | null => (Number.isFinite(x) ? x : null);
