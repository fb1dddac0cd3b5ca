import { AlarmChannel, type AlarmState } from './alarm.ts';
import { createDetector } from './create-detector.ts';
import type { Detector } from './detector.ts';
import {
  INITIAL_INCIDENT_STATE,
  type IncidentReducerState,
  type IncidentSettings,
  invalidateIncident,
  type Observation,
  reduceIncident,
  type Transition,
} from './incident.ts';
import { type Model, REFERENCE_QUANTILES } from './model.ts';
import type { MetricSchema, Sample } from './sample.ts';

/** Beyond this many intervals without a sample, the windows say nothing about now. */
const GAP_INTERVALS = 5;
/** Share of the model's metrics that must be there for a sample to be judged. */
const USABLE_SHARE = 0.5;
export const LAST_SCORES = 10;

/** One sample, judged. Arrays are reused by the next step. */
export interface Judgement {
  readonly score: number;
  readonly observation: Observation;
  readonly transition: Transition | null;
}

/** What has to survive a restart beside the samples themselves; JSON. */
export interface WatcherState {
  readonly modelSha256: string;
  readonly incident: IncidentReducerState;
  readonly alarm: AlarmState;
}

/**
 * One model watching one stream of samples: detector, alarm channel, incident reducer. Pure but for its own
 * windows; the same for a live host, a replay and the simulation.
 */
export class Watcher {
  readonly model: Model;
  readonly detector: Detector;
  readonly alarm: AlarmChannel;
  /** May be replaced between two samples; what stands goes on under the new ones. */
  settings: IncidentSettings;
  /** Values of the last sample in the model's schema order. */
  readonly values: Float64Array;
  readonly deviations: Float64Array;
  readonly lastScores: number[] = [];
  readonly #positions: Int32Array;
  #incident: IncidentReducerState = INITIAL_INCIDENT_STATE;
  #lastTimeMs = Number.NaN;

  /** @param schema of the samples; the model's metrics are found in it by name, those that it lacks are missing */
  constructor(model: Model, schema: MetricSchema, settings: IncidentSettings) {
    this.model = model;
    this.settings = settings;
    this.detector = createDetector(model);
    this.alarm = new AlarmChannel(model);
    this.values = new Float64Array(model.schema.length).fill(Number.NaN);
    this.deviations = new Float64Array(model.schema.length).fill(Number.NaN);
    this.#positions = Int32Array.from(model.schema, (m) =>
      schema.findIndex((other) => other.name === m.name),
    );
  }

  get incident(): IncidentReducerState {
    return this.#incident;
  }

  /** Judges a sample. @param newId names an incident, should one open */
  step(sample: Sample, gate: Observation['gate'], newId: () => string): Judgement {
    const score = this.#advance(sample);
    const observation: Observation = {
      timeMs: sample.timeMs,
      usable: this.#finite() >= USABLE_SHARE * this.values.length,
      gate,
      readings: this.alarm.readings,
      deviation: this.#largestDeviation(),
    };
    const { state, transition } = reduceIncident(this.#incident, observation, this.settings, newId);
    this.#incident = state;
    const told = transition?.reading;
    if (told) this.alarm.acknowledge(told.name, this.values);
    return { score, observation, transition };
  }

  /** Moves all windows on over history without judging it. */
  warm(sample: Sample): number {
    return this.#advance(sample);
  }

  #advance(sample: Sample): number {
    const elapsed = sample.timeMs - this.#lastTimeMs;
    if (elapsed > GAP_INTERVALS * this.model.provenance.intervalMs || elapsed < 0) {
      this.detector.reset();
      this.alarm.afterGap();
    }
    this.#lastTimeMs = sample.timeMs;
    for (let i = 0; i < this.values.length; i++) {
      const position = this.#positions[i] as number;
      this.values[i] = position < 0 ? Number.NaN : (sample.values[position] as number);
    }
    const score = this.detector.score(this.values);
    this.alarm.update(this.values, score);
    this.lastScores.push(score);
    if (this.lastScores.length > LAST_SCORES) this.lastScores.shift();
    return score;
  }

  #finite(): number {
    let count = 0;
    for (const x of this.values) if (!Number.isNaN(x)) count++;
    return count;
  }

  #largestDeviation(): number {
    const { metrics, spreads } = this.model.reference;
    let largest = 0;
    for (let i = 0; i < this.values.length; i++) {
      const median = metrics[i * REFERENCE_QUANTILES + (REFERENCE_QUANTILES - 1) / 2] as number;
      const deviation = ((this.values[i] as number) - median) / (spreads[i] as number);
      this.deviations[i] = deviation;
      const size = Math.abs(deviation);
      if (size > largest) largest = size;
    }
    return largest;
  }

  /** Carries the incident (and the guard) over from the watcher before, under another model. */
  takeOver(incident: IncidentReducerState): void {
    this.#incident = incident;
  }

  /** Ends a standing incident that nobody watched to its end. */
  invalidate(atMs: number): Transition | null {
    const { state, transition } = invalidateIncident(this.#incident, atMs);
    this.#incident = state;
    return transition;
  }

  state(modelSha256: string): WatcherState {
    return { modelSha256, incident: this.#incident, alarm: this.alarm.state() };
  }

  /** The alarm windows are taken up only under the model that they belong to. */
  restore(state: WatcherState, modelSha256: string): void {
    this.#incident = state.incident;
    if (state.modelSha256 === modelSha256) this.alarm.restore(state.alarm);
  }
}
