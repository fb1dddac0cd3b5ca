import { expect, test } from 'vitest';
import { fleetHost, fleetTotals } from '../../hub/fleet.ts';
import { newHost } from '../../hub/host.ts';
import { EMPTY_WATCH } from '../../hub/watch.ts';

test('a host that has gone back to no model of its own is no longer counted under the release', () => {
  const model = { name: 'web', version: '1', sha256: 'a'.repeat(64) };
  const host = { ...newHost('lab', 'h1', 0), model };
  const counted = (reported: Readonly<Record<string, unknown>> | null): object =>
    fleetTotals([fleetHost({ host, reported, change: 1 }, EMPTY_WATCH, 0)]).byModel;
  expect(counted(null)).toEqual({ 'web 1': 1 });
  expect(counted({ state: 'committed', running: { name: 'web' } })).toEqual({ 'web 1': 1 });
  expect(counted({ state: 'rolled_back', running: null })).toEqual({ none: 1 });
});
