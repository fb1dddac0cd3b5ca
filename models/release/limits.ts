import type { ReleaseLimits } from '../../core/protocol/trust.ts';

/**
 * What a release may cost a host, where nobody says otherwise. The default model scores in a tenth of 2 ms on a server
 * (docs/benchmarks/score.json) and adds a few megabytes; a twentieth of a host's own history is far beyond any budget.
 */
export const DEFAULT_LIMITS: ReleaseLimits = {
  scoreMs: 2,
  memoryBytes: 64 * 1024 ** 2,
  flagShare: 0.05,
};

/** The first agent that takes central models; it reads every artifact format that is written. */
export const FIRST_AGENT = '0.1.0';
