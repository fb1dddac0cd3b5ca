import { describe, expect, test } from 'vitest';
import { hasExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { firstTries } from './reconnect/backoff.ts';
import { spreadOf } from './reconnect/histogram.ts';
import { reconnect } from './reconnect/run.ts';

const SMALL = { clients: 30, downMs: 500, steadyMs: 200, afterMs: 500, deadlineMs: 120_000 };

/** `npm run prove:reconnect`, scaled down. */
describe.skipIf(!hasMosquitto)('clients whose broker is killed and comes back with nothing', () => {
  test('all come back, and the broker has every alert', async () => {
    const result = await reconnect({ ...SMALL, hub: false }, () => {});
    expect(result).toMatchObject({ acknowledgedInTime: true, passed: true, hubLost: null });
    expect(result.reconnects.count).toBe(SMALL.clients);
    for (const { committed, acknowledged } of Object.values(result.alerts))
      expect([committed, acknowledged]).toEqual([SMALL.clients, SMALL.clients]);
  }, 180_000);

  test.skipIf(!hasExecutable)(
    'with the hub’s word: its store has every alert',
    async () => {
      const result = await reconnect({ ...SMALL, hub: true }, () => {});
      expect(result).toMatchObject({ passed: true, hubLost: 0, hubStored: 4 * SMALL.clients });
    },
    240_000,
  );
});

describe('spread', () => {
  test('counts each second, and the fullest second of any', () => {
    const spread = spreadOf([100, 900, 1050, 1099, 5000]);
    expect(spread).toMatchObject({ count: 5, p50Ms: 1050, lastMs: 5000, mostInASecond: 4 });
    expect(spread.perSecond).toEqual([2, 2, 0, 0, 0, 1]);
  });

  test('after a long outage, tries come at N/30 in a second at the most, within a minute', () => {
    const { mostInASecond, lastMs } = firstTries(30_000, 3_600_000, 1);
    // Waits are even up to 60 s: the renewal density at once after any instant is one in 30 s.
    expect(mostInASecond).toBeGreaterThan(900);
    expect(mostInASecond).toBeLessThan(1150);
    expect(lastMs).toBeLessThanOrEqual(60_000);
  });
});
