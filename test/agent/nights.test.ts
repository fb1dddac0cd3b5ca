import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type AgentConfig, resolveConfig } from '../../agent/config/config.ts';
import { reload } from '../../agent/config/reload.ts';
import { Nights } from '../../agent/nights.ts';

beforeEach(() => vi.useFakeTimers({ now: new Date(2026, 0, 1, 12) }));
afterEach(() => vi.useRealTimers());

const settings = (values: Readonly<Record<string, unknown>>) => ({
  values: new Map(Object.entries({ stateDir: '/nowhere', source: 'procfs', ...values })),
  sinks: [],
});
const configured = (values: Readonly<Record<string, unknown>>): AgentConfig =>
  resolveConfig([settings(values)]);

/** When it rings within a day from now on, as hours and minutes. */
async function ringsOfADay(rings: Date[]): Promise<string[]> {
  rings.length = 0;
  await vi.advanceTimersByTimeAsync(86_400_000);
  return rings.map((at) => `${at.getHours()}:${String(at.getMinutes()).padStart(2, '0')}`);
}

test('once a night at a minute of its own; at the times that a later configuration names; and not any more', async () => {
  const rings: Date[] = [];
  const nights = new Nights(
    () => rings.push(new Date()),
    () => 100.5 / 180,
  );
  await nights.follow(configured({}));
  expect(await ringsOfADay(rings)).toEqual(['3:40']);
  await nights.follow(configured({ 'retraining.schedule': '5 1,13 * * *' }));
  expect((await ringsOfADay(rings)).sort()).toEqual(['13:05', '1:05']);
  await nights.follow(configured({ 'retraining.schedule': '5 1,13 * * *', 'learning.refit': 'off' }));
  expect(await ringsOfADay(rings)).toHaveLength(2);
  await nights.follow(configured({ 'learning.refit': 'off' }));
  expect(await ringsOfADay(rings)).toEqual([]);
  await nights.follow(configured({}));
  expect(await ringsOfADay(rings)).toEqual(['3:40']);
  await nights.stop();
  expect(await ringsOfADay(rings)).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('the last of several configurations in a row holds, and a stop before the first one is ready', async () => {
  const rings: Date[] = [];
  const nights = new Nights(() => rings.push(new Date()));
  await Promise.all(
    ['0 1 * * *', '0 2 * * *', '0 3 * * *'].map((schedule) =>
      nights.follow(configured({ 'retraining.schedule': schedule })),
    ),
  );
  expect(await ringsOfADay(rings)).toEqual(['3:00']);
  await Promise.all([nights.follow(configured({ 'retraining.schedule': '0 4 * * *' })), nights.stop()]);
  expect(await ringsOfADay(rings)).toEqual([]);
});

test('a changed schedule needs no restart', () => {
  const taken = reload(settings({}), settings({ 'retraining.schedule': '0 1 * * *' }));
  expect(taken).toMatchObject({ changed: ['retraining.schedule'], needRestart: [] });
  expect(resolveConfig([taken.settings]).retraining.schedule).toBe('0 1 * * *');
});
