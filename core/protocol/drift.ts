import type { DriftPhase } from '../drift/monitor.ts';
import { overByShiftAlone } from '../drift/significance.ts';
import { formatDuration } from '../words.ts';
import type { AlertData, Sequence } from './events.ts';

/**
 * `warning`: the host has moved away from what the model learned. `retrain`: for so long that a new model is asked for.
 * `heldBack`: it would be asked for, but was within the last day. `sensor`: a sensor lies. `concept`:
 * the model no longer fits though no metric moved. `ended`: it is over.
 */
export type DriftEventState = 'warning' | 'retrain' | 'heldBack' | 'sensor' | 'concept' | 'ended';
export const DRIFT_EVENT_STATES: readonly DriftEventState[] = [
  'warning',
  'retrain',
  'heldBack',
  'sensor',
  'concept',
  'ended',
];
export type DriftEventKind = 'input' | 'prediction' | 'sensor' | 'concept';
export const DRIFT_KINDS: readonly DriftEventKind[] = ['input', 'prediction', 'sensor', 'concept'];
export type DriftDirection = 'higher' | 'lower' | 'shape';
export const DRIFT_DIRECTIONS: readonly DriftDirection[] = ['higher', 'lower', 'shape'];

/** A metric, or the score, against its reference. */
export interface DriftStream {
  readonly name: string;
  readonly label: string;
  readonly unit: string;
  /** Kolmogorov-Smirnov distance of the window from the reference; null where it is empty. */
  readonly d: number | null;
  readonly threshold: number | null;
  readonly over: boolean;
  readonly direction: DriftDirection;
  /** Wasserstein distance (5 % of the values at either end left out) in the metric's unit, and from where on it counts. */
  readonly shift: number | null;
  readonly shiftThreshold: number | null;
  /** The shift in robust standard deviations of the training. */
  readonly effect: number | null;
  /** Why it was not judged. */
  readonly unjudged: string | null;
}

export interface DriftFault {
  readonly fault: 'stuck' | 'missing' | 'clock';
  /** null for the clock. */
  readonly metric: string | null;
}

/** `data` of an `edgewood.drift` event. Its JSON Schema is `drift.schema.json`. */
export interface DriftData {
  readonly schemaVersion: 1;
  readonly sequence: Sequence;
  readonly host: AlertData['host'];
  readonly state: DriftEventState;
  readonly kinds: readonly DriftEventKind[];
  /** 1 to 10: docs/DRIFT.md. */
  readonly severity: number;
  /** Of the decision. */
  readonly decidedAt: string;
  readonly since: string | null;
  readonly windowMs: number;
  readonly provisional: boolean;
  /** Those over their thresholds, the farthest first, the score last. */
  readonly streams: readonly DriftStream[];
  readonly faults: readonly DriftFault[];
  readonly modelSha256: string;
  readonly sentence: string;
}

/** As the telemetry has it, now and then. */
export interface DriftTelemetry {
  readonly phase: DriftPhase;
  readonly severity: number | null;
  readonly streams: readonly Pick<DriftStream, 'name' | 'd' | 'threshold' | 'over'>[];
}

const NAMED = 3;

/** One sentence for people. @param forMs since when, or null */
export function driftSentence(
  it: Pick<DriftData, 'severity' | 'streams' | 'faults' | 'provisional' | 'windowMs'> & {
    readonly state: Exclude<DriftEventState, 'concept'>;
  },
  forMs: number | null,
): string {
  const window = formatDuration(it.windowMs);
  if (it.state === 'ended') return `Drift is over: the last ${window} are like the training again.`;
  if (it.state === 'sensor') return `Not to be believed: ${it.faults.map(faultWords).join(', ')}.`;
  const named = it.streams.slice(0, NAMED).map(streamWords);
  const more = it.streams.length > NAMED ? `, and ${it.streams.length - NAMED} more` : '';
  const since = forMs === null ? '' : `, for ${formatDuration(forMs)}`;
  const what = {
    warning: 'This host is no longer as in training',
    retrain: 'This host is no longer as in training, and needs a new model',
    heldBack:
      'This host is again no longer as in training; a new model was asked for within the last day already',
  }[it.state];
  const provisional = it.provisional ? ' Provisional: the training saw less than 12 days.' : '';
  return `${what} (severity ${it.severity} of 10${since}): ${named.join(', ')}${more}.${provisional}`;
}

function streamWords(stream: DriftStream): string {
  const { label, d, threshold, direction } = stream;
  const where = direction === 'shape' ? 'spread otherwise' : direction;
  const byShift = overByShiftAlone(stream);
  if (byShift !== null) return `${label} ${where} (shift ${byShift.toFixed(1)} times its threshold)`;
  return `${label} ${where} (D ${d?.toFixed(2) ?? '?'}, threshold ${threshold?.toFixed(2) ?? '?'})`;
}

const faultWords = ({ fault, metric }: DriftFault): string =>
  fault === 'clock'
    ? 'the clock went backwards'
    : fault === 'stuck'
      ? `${metric} stands still as never in training`
      : `${metric} is missing far more often than in training`;
