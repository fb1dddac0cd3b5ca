/** Why a document, a chunk or a command was turned away: stable words, counted and reported. */
export const REFUSALS = [
  'noRoot',
  'tooLarge',
  'notAnEnvelope',
  'wrongType',
  'tooFewSignatures',
  'notADocument',
  'otherFleet',
  'otherModel',
  'older',
  'sameVersionOtherDigest',
  'notNext',
  'expired',
  'rootExpired',
  'renewalChanged',
  'otherRelease',
  'revoked',
  'quarantined',
  'otherChunk',
  'otherHost',
  'replayed',
  'unknownCommand',
  'notForThisAgent',
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Refused as untrustworthy, or as nothing that this host can run. */
export class TrustError extends Error {
  override readonly name = 'TrustError';
  readonly refusal: Refusal;
  readonly exitCode = 4;

  constructor(refusal: Refusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}
