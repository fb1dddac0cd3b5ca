import { describe, expect, test } from 'vitest';
import { cutPower } from '../proofs/kill/power-cut.ts';
import { killRepeatedly } from '../proofs/kill/run.ts';
import { canTrace } from '../proofs/kill/trace.ts';
import { hasVictoriaMetrics } from '../support/daemons.ts';
import { hasExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';

/** `npm run prove:kill`, scaled down. */
describe.skipIf(!hasExecutable || !hasMosquitto || !hasVictoriaMetrics)(
  'kill -9 at random instants, a real broker and a real InfluxDB server',
  () => {
    test('every stored event arrives, once or recognisably again, without a gap', async () => {
      const result = await killRepeatedly(3, 7);
      expect(result).toMatchObject({
        lost: 0,
        lostToInflux: 0,
        samplesLostToInflux: 0,
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
  },
);

describe.skipIf(!hasExecutable || !hasMosquitto || !canTrace)('power cuts between any two writes', () => {
  test('nothing is published that is not stored, and no number is given twice', async () => {
    const result = await cutPower(60, 1);
    expect(result).toMatchObject({
      publishedNotStored: 0,
      reused: 0,
      notOpened: 0,
      newEpochs: 0,
      passed: true,
    });
  });
});
