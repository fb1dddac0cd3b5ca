import type { AlertData, Sequence } from './events.ts';
import type { InstallState } from './install-states.ts';
import type { InstallFigures, ReleaseSeen } from './reported.ts';

/** `data` of an `edgewood.release` event. Its JSON Schema is `release-event.schema.json`. */
export interface ReleaseData {
  readonly schemaVersion: 1;
  readonly sequence: Sequence;
  readonly host: AlertData['host'];
  readonly model: string;
  readonly state: Extract<InstallState, 'committed' | 'rejected' | 'rolled_back' | 'timed_out'>;
  readonly release: ReleaseSeen | null;
  readonly figures: InstallFigures | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Digest of the model that watches now. */
  readonly modelSha256: string | null;
  readonly sentence: string;
}

export function releaseSentence(
  model: string,
  state: ReleaseData['state'],
  release: ReleaseSeen | null,
  error: ReleaseData['error'],
): string {
  const name = release === null ? model : `${model} ${release.version}`;
  const what = {
    committed: `Release ${name} watches this host`,
    rejected: `Release ${name} was refused, the model before watches on`,
    rolled_back: `Release ${name} was taken back, the model before watches again`,
    timed_out: `Release ${name} was given up, the model before watches on`,
  }[state];
  return error === null ? `${what}.` : `${what}: ${error.message.replace(/[.:]$/, '')}.`;
}
