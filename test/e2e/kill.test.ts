import { describe, expect, test } from 'vitest';
import { killRepeatedly } from '../proofs/kill/run.ts';
import { hasExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';

/** `npm run prove:kill`, scaled down. */
describe.skipIf(!hasExecutable || !hasMosquitto)('kill -9 at random instants, a real broker', () => {
  test('every stored event arrives, once or recognisably again, without a gap', async () => {
    const result = await killRepeatedly(3, 7);
    expect(result).toMatchObject({
      lost: 0,
      unknown: 0,
      gaps: 0,
      altered: 0,
      unended: 0,
      epochs: 1,
      databaseFaults: 0,
      passed: true,
    });
    expect(result.stored).toBeGreaterThan(50);
  });
});
