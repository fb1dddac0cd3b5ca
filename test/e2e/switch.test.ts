import { describe, expect, test } from 'vitest';
import { canTrace } from '../proofs/kill/trace.ts';
import { cutSwitches } from '../proofs/switch/run.ts';
import { hasExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';

/** `npm run prove:switch`, scaled down. */
describe.skipIf(!hasExecutable || !hasMosquitto || !canTrace)('power cuts while models are switched', () => {
  test('leave a verified model, the one before or the one after', { timeout: 300_000 }, async () => {
    const result = await cutSwitches(1, 1, 7);
    expect(result).toMatchObject({
      noModel: 0,
      unknown: 0,
      unverified: 0,
      neither: 0,
      backwards: 0,
      passed: true,
    });
    expect(result.cuts).toBeGreaterThan(100);
    expect(result.operations['link']).toBeGreaterThan(0);
    expect(Object.keys(result.watching).sort()).toEqual(['own', 'release 1', 'release 2', 'release 3']);
  });
});
