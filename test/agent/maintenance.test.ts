import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isCronExpression, isTimeZone, minuteMatcher } from '../../agent/config/cron.ts';
import { parseConfig } from '../../agent/config/file.ts';
import { Maintenance, type MaintenanceWindow } from '../../agent/maintenance.ts';
import { SAMPLE_EXCLUDED } from '../../agent/store/store.ts';
import type { AlertData } from '../../core/protocol/events.ts';
import { validator } from '../support/schemas.ts';
import { busy, INTERVAL_MS, ScriptedAgent } from '../support/scripted-agent.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const at = (iso: string): number => Date.parse(iso);
const nightly = (change: Partial<MaintenanceWindow> = {}): MaintenanceWindow => ({
  name: 'patching',
  schedule: '0 2 * * *',
  durationMs: 2 * HOUR_MS,
  timezone: 'UTC',
  training: 'exclude',
  ...change,
});

describe('windows', () => {
  test('from the minute of the schedule, for as long as said', () => {
    const maintenance = new Maintenance([nightly()], null);
    const active = (iso: string): boolean => maintenance.at(at(iso)).length > 0;
    expect(active('2026-11-24T01:59:59.999Z')).toBe(false);
    expect(active('2026-11-24T02:00:00Z')).toBe(true);
    expect(active('2026-11-24T03:59:59.999Z')).toBe(true);
    expect(active('2026-11-24T04:00:00Z')).toBe(false);
    expect(maintenance.at(at('2026-11-25T02:30:00Z'))).toEqual([
      {
        kind: 'window',
        name: 'patching',
        fromMs: at('2026-11-25T02:00:00Z'),
        untilMs: at('2026-11-25T04:00:00Z'),
        training: 'exclude',
      },
    ]);
  });

  test('in the time zone that was named, over the change of clocks', () => {
    const maintenance = new Maintenance([nightly({ timezone: 'Europe/Berlin' })], null);
    const from = (iso: string): string | undefined => {
      const [one] = maintenance.at(at(iso));
      return one && new Date(one.fromMs).toISOString();
    };
    expect(from('2026-07-01T00:30:00Z')).toBe('2026-07-01T00:00:00.000Z');
    expect(from('2026-12-01T01:30:00Z')).toBe('2026-12-01T01:00:00.000Z');
  });

  test('however the clock runs or jumps: as a look at every minute says', () => {
    const schedules = ['0 2 * * *', '*/17 * * * *', '30 4,16 * * 1-5', '59 23 28 2 *'];
    fc.assert(
      fc.property(
        fc.constantFrom(...schedules),
        fc.integer({ min: 1, max: 180 }),
        fc.array(fc.integer({ min: -5000, max: 5000 }), { maxLength: 12 }),
        (schedule, minutes, steps) => {
          const window = nightly({ schedule, durationMs: minutes * MINUTE_MS });
          const maintenance = new Maintenance([window], null);
          const matches = minuteMatcher({ expression: schedule, timezone: 'UTC' });
          let now = at('2026-02-28T12:00:00Z');
          for (const step of steps) {
            now += step * MINUTE_MS;
            const minute = now / MINUTE_MS;
            const begun = Array.from({ length: minutes }, (_, i) => minute - i).find(matches);
            const found = maintenance.at(now).map(({ fromMs }) => fromMs / MINUTE_MS);
            expect(found).toEqual(begun === undefined ? [] : [begun]);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test('what is no schedule, and no time zone', () => {
    expect(['0 2 * * sun', '*/5 0-6 1,15 jan-mar *'].map(isCronExpression)).toEqual([true, true]);
    expect(['', 'daily', '0 25 * * *', '* * * *', '0 0 2 * * *'].map(isCronExpression)).toEqual(
      Array.from({ length: 5 }, () => false),
    );
    expect(['Europe/Berlin', 'UTC', 'Berlin', ''].map(isTimeZone)).toEqual([true, true, false, false]);
  });

  test('in the file, with every fault at its place', () => {
    const { values, origins } = parseConfig(
      'maintenance:\n  - schedule: "0 2 * * sun"\n    duration: 90m\n    name: patching\n',
      'f',
    );
    expect(values.get('maintenance')).toEqual([
      nightly({ schedule: '0 2 * * sun', durationMs: 90 * MINUTE_MS, timezone: null }),
    ]);
    expect(origins?.get('maintenance[0].duration')).toEqual({ from: 'f:3', written: '90m' });
    const faults = (text: string): string => {
      try {
        parseConfig(text, 'f');
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    expect(faults('maintenance:\n  - schedule: "0 25 * * *"\n    duration: 1h\n')).toBe(
      'f:2:15: maintenance[].schedule: expected a cron expression of five fields in quotes, e.g. "0 2 * * sun", found "0 25 * * *"',
    );
    expect(faults('maintenance:\n  - schedule: "0 2 * * *"\n')).toBe(
      'f:2:5: maintenance: `duration` is missing, expected a duration from 1m to 7d',
    );
    expect(faults('maintenance:\n  - schedul: "0 2 * * *"\n    duration: 1h\n')).toContain(
      'did you mean "maintenance[].schedule"?',
    );
    expect(faults('maintenance: sunday')).toContain('expected a list, each entry beginning with');
  });
});

describe('an agent within one', () => {
  const alerts = (it: ScriptedAgent): AlertData[] =>
    it.events('edgewood.incident').map(({ data }) => JSON.parse(data) as AlertData);
  const told = (it: ScriptedAgent): string[] =>
    it.events('edgewood.maintenance').map(({ data }) => {
      expect(validator('maintenance')(JSON.parse(data))).toEqual([]);
      const { state, kind, name } = JSON.parse(data) as Record<string, string>;
      return `${state} ${kind} ${name}`;
    });
  const learned = (settings: Readonly<Record<string, unknown>> = {}): ScriptedAgent => {
    const it = new ScriptedAgent(temporaryDirectory(), { settings });
    it.learn();
    it.samples(30);
    return it;
  };
  const snooze = (it: ScriptedAgent, ms: number, training: 'exclude' | 'include' = 'exclude'): void =>
    void it.agent.snooze({ fromMs: it.nowMs, untilMs: it.nowMs + ms, reason: 'disk swap', training });

  test('raises nothing, says so, does not learn from it, and raises again afterwards', () => {
    const it = learned();
    snooze(it, 20 * INTERVAL_MS);
    expect(it.agent.state()).toBe('maintenance');
    it.samples(10, busy);
    expect(alerts(it)).toEqual([]);
    expect(it.memory.lastSamples(10).every(({ flags }) => (flags & SAMPLE_EXCLUDED) !== 0)).toBe(true);
    it.samples(40);
    expect(it.agent.state()).toBe('watching');
    expect(it.memory.lastSamples(1)[0]?.flags).toBe(0);
    expect(told(it)).toEqual(['began snooze disk swap', 'ended snooze disk swap']);
    it.samples(3, busy);
    expect(alerts(it)[0]?.state).toBe('opened');
  });

  test('learns from it where that is wanted', () => {
    const it = learned();
    snooze(it, 20 * INTERVAL_MS, 'include');
    it.sample();
    expect(it.memory.lastSamples(1)[0]?.flags).toBe(0);
  });

  test('an incident that stands runs out, and says under what circumstances', () => {
    const it = learned();
    it.samples(3, busy);
    snooze(it, HOUR_MS);
    it.samples(30, busy);
    expect(alerts(it).at(-1)).toMatchObject({ state: 'resolved', context: { maintenance: true } });
  });

  test('a snooze survives a restart, and is ended by a word', () => {
    const it = learned();
    snooze(it, HOUR_MS);
    it.restart(INTERVAL_MS);
    it.sample();
    expect(it.agent.state()).toBe('maintenance');
    it.agent.snooze(null);
    expect(it.agent.state()).toBe('watching');
    it.restart(INTERVAL_MS);
    it.sample();
    expect(it.agent.state()).toBe('watching');
  });

  test('by schedule', () => {
    const it = learned({ maintenance: [nightly({ schedule: '* * * * *', durationMs: MINUTE_MS })] });
    expect(told(it)[0]).toBe('began window patching');
    // Nothing but what is left out: there is nothing to learn from.
    expect(it.agent.state()).toBe('warming-up');
  });
});
