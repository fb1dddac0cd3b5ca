import type { ShadowSide } from '../shadow.ts';
import type { InstallState } from './install-states.ts';
import { schemaFault } from './schema-check.ts';
import { TRUST_SCHEMAS } from './trust-schemas.ts';

/** What a candidate has done so far, beside the model that watches (null: none did). */
export interface InstallFigures {
  readonly rows: number;
  readonly candidate: ShadowSide;
  readonly current: ShadowSide | null;
  /** Samples of which the candidate made no number. */
  readonly notFinite: number;
  readonly flat: boolean;
  /** Samples that one flagged, and the other did not. */
  readonly disagreements: number;
  readonly allowedAlarms: number;
  readonly scoreMsP50: number | null;
  readonly scoreMsP95: number | null;
}

export interface ReleaseSeen {
  readonly version: number;
  readonly artifactSha256: string;
}

/** The retained `reported` document of a host: what it was asked for, and where it stands. `reported.schema.json`. */
export interface ReportedDocument {
  readonly schemaVersion: 1;
  readonly hostId: string;
  readonly site: string;
  readonly bootId: string;
  readonly at: string;
  readonly agentVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Version of the root that it trusts; null: none, so it takes no central model. */
  readonly root: number | null;
  /** The last rollout that it accepted. */
  readonly rollout: { readonly model: string; readonly version: number; readonly sha256: string } | null;
  /** What that asks of this host; null: the model that it learned itself. */
  readonly desired: ReleaseSeen | null;
  readonly state: InstallState;
  /** What `state` is about. */
  readonly release: ReleaseSeen | null;
  readonly running: {
    readonly sha256: string;
    readonly name: string;
    readonly version: string;
    readonly slot: 'central' | 'current' | 'previous';
  } | null;
  readonly slots: Readonly<Record<'current' | 'previous' | 'central' | 'centralPrevious', string | null>>;
  readonly figures: InstallFigures | null;
  /** Incidents that opened since that rollout was accepted: what the rest of the fleet is compared with. */
  readonly alarms: { readonly since: string; readonly opened: number } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** What was turned away since the agent started, by reason. */
  readonly refused: Readonly<Record<string, number>>;
}

export const MAX_REPORTED_BYTES = 32 * 1024;

/** @returns the document, or why it is none. Whatever it says of hostId and site is only as good as its topic. */
export function parseReported(text: string): ReportedDocument | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: 'it is not JSON' };
  }
  const fault = schemaFault(TRUST_SCHEMAS['reported'] ?? {}, value);
  return fault === null ? (value as ReportedDocument) : { fault };
}
