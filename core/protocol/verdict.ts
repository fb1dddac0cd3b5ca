import type { AlertData, Sequence } from './events.ts';

/** An operator's word on an alert. `benign`: a true observation that nobody needed; it counts as false. */
export type Verdict = 'true' | 'false' | 'benign';
export const VERDICTS: readonly Verdict[] = ['true', 'false', 'benign'];
/** What else is said: of a time at which something was wrong and no incident stood; and that it was not so after all. */
export type OperatorWord = Verdict | 'missed' | 'retracted';
export const OPERATOR_WORDS: readonly OperatorWord[] = [...VERDICTS, 'missed', 'retracted'];

/** `data` of an `edgewood.verdict` event. Its JSON Schema is `verdict.schema.json`. */
export interface VerdictData {
  readonly schemaVersion: 1;
  readonly sequence: Sequence;
  readonly host: AlertData['host'];
  /** null: no incident, but a time that was missed. */
  readonly incidentId: string | null;
  readonly verdict: OperatorWord;
  /** The word before, where it was changed. */
  readonly before: Verdict | 'missed' | null;
  readonly note: string;
  /** Of what was missed: when it began. */
  readonly openedAt: string;
  /** Of what was missed: when it ended. */
  readonly until?: string;
  /** null: of what was missed, it is not kept which model watched then. */
  readonly modelSha256: string | null;
}

/** What operators said of a week: of the incidents that opened in it, and of what was missed from then on. */
export interface WeekOfVerdicts {
  /** Monday 00:00 UTC, milliseconds since 1970: weeks are those of ISO 8601. */
  readonly fromMs: number;
  /** Incidents with a word on them: the three that follow, together. */
  readonly judged: number;
  readonly trueAlerts: number;
  readonly falseAlerts: number;
  readonly benignAlerts: number;
  /** As far as anybody has told. */
  readonly missed: number;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
}
