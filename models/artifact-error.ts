export type ArtifactFault =
  | 'tooLarge'
  | 'truncated'
  | 'notAnArtifact'
  | 'newerFormat'
  | 'checksumMismatch'
  | 'badHeader'
  | 'badArray'
  | 'badTree';

/** Says which fault, where, and what was expected. */
export class ArtifactError extends Error {
  override name = 'ArtifactError';
  readonly fault: ArtifactFault;
  constructor(fault: ArtifactFault, message: string) {
    super(message);
    this.fault = fault;
  }
}
