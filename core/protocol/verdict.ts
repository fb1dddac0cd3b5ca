import type { AlertData, Sequence } from './events.ts';

/** An operator's word on an alert. `benign`: a true observation that nobody needed; it counts as false. */
export type Verdict = 'true' | 'false' | 'benign';
export const VERDICTS: readonly Verdict[] = ['true', 'false', 'benign'];

/** `data` of an `edgewood.verdict` event. Its JSON Schema is `verdict.schema.json`. */
export interface VerdictData {
  readonly schemaVersion: 1;
  readonly sequence: Sequence;
  readonly host: AlertData['host'];
  readonly incidentId: string;
  readonly verdict: Verdict;
  /** The word before, where it was changed. */
  readonly before: Verdict | null;
  readonly note: string;
  readonly openedAt: string;
  readonly modelSha256: string;
}
