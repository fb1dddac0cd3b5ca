import type { ShadowComparison } from '../shadow.ts';
import type { AlertData, Sequence } from './events.ts';

/**
 * `begun`: a fit runs. `activated`: its model watches. `heldBack`: it would have been worse, the one before stays.
 * `failed`: there was too little history, or a fault. `asked`: the centre is asked for a model. `told`: nothing is done.
 * `rolledBack`: the model before watches again.
 */
export const RETRAINING_DECISIONS = [
  'begun',
  'activated',
  'heldBack',
  'failed',
  'asked',
  'told',
  'rolledBack',
] as const;
export type RetrainingDecision = (typeof RETRAINING_DECISIONS)[number];
/** `alarms`: the new model raised more than its budget bears. */
export const RETRAINING_REASONS = ['schedule', 'drift', 'command', 'alarms'] as const;
export type RetrainingReason = (typeof RETRAINING_REASONS)[number];

/** `data` of an `edgewood.retraining` event. Its JSON Schema is `retraining.schema.json`. */
export interface RetrainingData {
  readonly schemaVersion: 1;
  readonly sequence: Sequence;
  readonly host: AlertData['host'];
  readonly decision: RetrainingDecision;
  readonly reason: RetrainingReason;
  /** Why, in words: the drift's sentence, what somebody said, what spoke against the new model. */
  readonly why: string;
  readonly driftSeverity: number | null;
  /** Both models on the same stored rows. */
  readonly comparison: ShadowComparison | null;
  /** What this host could train on. */
  readonly offer: { readonly samples: number; readonly from: string; readonly to: string } | null;
  /** Digest of the model that watches now. */
  readonly modelSha256: string | null;
  readonly sentence: string;
}

export function retrainingSentence(
  decision: RetrainingDecision,
  reason: RetrainingReason,
  why: string,
): string {
  const what = {
    begun: 'A new model is being fitted from the history of this host',
    activated: 'A new model watches this host',
    heldBack: 'A new model was fitted and held back: the one before watches on',
    failed: 'No new model could be fitted',
    asked: 'The centre is asked for a new model',
    told: 'A new model is needed, and none is fitted: retraining is off',
    rolledBack: 'The model before watches this host again',
  }[decision];
  const because = {
    schedule: 'by schedule',
    drift: 'because of drift',
    command: 'as asked',
    alarms: 'because the new one alarmed too often',
  }[reason];
  return `${what}, ${because}${why === '' ? '' : `: ${why.replace(/[.:]$/, '')}`}.`;
}
