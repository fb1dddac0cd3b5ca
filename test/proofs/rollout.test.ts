import { expect, test } from 'vitest';
import { hasExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { BAD_RELEASES } from './rollout/releases.ts';
import { proveRollout } from './rollout/run.ts';

/** `npm run prove:rollout`, scaled down: a dozen simulated hosts, no packaged agents, two of the bad releases. */
test.skipIf(!hasMosquitto || !hasExecutable)(
  'a good release reaches all, bad ones none',
  { timeout: 180_000 },
  async () => {
    const bad = BAD_RELEASES.filter(({ name }) => /schema|too slow/.test(name));
    const result = await proveRollout({ simulated: 12, agents: 0, seed: 1, bad, say: () => {} });
    expect(result.good).toMatchObject({ exitCode: 0, stages: [{ fraction: 1 }] });
    expect(
      result.bad.map(({ exitCode, stages, codes, hostsThatRanIt }) => ({
        exitCode,
        stages,
        codes,
        hostsThatRanIt,
      })),
    ).toEqual([
      { exitCode: 1, stages: 1, codes: ['worse'], hostsThatRanIt: 0 },
      { exitCode: 1, stages: 1, codes: ['schema'], hostsThatRanIt: 0 },
    ]);
    expect(result.passed).toBe(true);
  },
);
