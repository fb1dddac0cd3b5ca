import { describe, expect, test } from 'vitest';
import { attackAll } from '../proofs/attacks/all.ts';
import { hasClock } from '../support/clock.ts';
import { hasExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';

/** `npm run prove:attacks`, scaled down. */
describe.skipIf(!hasExecutable || !hasMosquitto || !hasClock)(
  'an enemy at the broker of the packaged agent',
  () => {
    test('changes nothing of what it runs, loses no alert, and is counted', {
      timeout: 600_000,
    }, async () => {
      const { attacks, scenes } = await attackAll({ endless: 40, hugeBytes: 5_000_000 });
      expect(attacks.filter(({ passed }) => !passed)).toEqual([]);
      expect(attacks.length).toBeGreaterThan(110);
      for (const { alerts } of Object.values(scenes)) expect(alerts).toMatchObject({ lost: 0, gaps: 0 });
    });
  },
);
