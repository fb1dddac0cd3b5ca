import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  INCIDENT_DEFAULTS,
  INITIAL_INCIDENT_STATE,
  type IncidentReducerState,
  type IncidentSettings,
  invalidateIncident,
  type Observation,
  type Reading,
  reduceIncident,
  type Transition,
} from '../../core/incident.ts';
import { exp } from '../../core/math.ts';
import {
  type IncidentState,
  SEVERITIES,
  type Severity,
  type TriggerName,
} from '../../core/protocol/events.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STEP_MS = 5000;
const THRESHOLDS = { info: 1, warning: 2, critical: 4, provisional: false };
const RULE = { info: 1, warning: 1e9, critical: 1e9, provisional: false };

const reading = (value: number, name: TriggerName = 'surprise'): Reading => {
  const repeats = name === 'surprise' || name === 'forest';
  return { name, value, thresholds: repeats ? THRESHOLDS : RULE, repeats };
};

/** Drives the reducer as a watcher does, and names incidents 1, 2, 3, … */
class Host {
  state: IncidentReducerState = INITIAL_INCIDENT_STATE;
  readonly transitions: Transition[] = [];
  readonly settings: IncidentSettings;
  #timeMs = 0;
  #ids = 0;

  constructor(settings: Partial<IncidentSettings> = {}) {
    this.settings = { ...INCIDENT_DEFAULTS, ...settings };
  }

  see(observation: Partial<Observation> & { readonly timeMs: number }): Transition | null {
    let named = 0;
    const full: Observation = { usable: true, gate: 'open', readings: [], deviation: 10, ...observation };
    const { state, transition } = reduceIncident(this.state, full, this.settings, () => {
      named++;
      return String(++this.#ids);
    });
    expect(named).toBe(transition?.state === 'opened' ? 1 : 0);
    this.state = state;
    if (transition !== null) this.transitions.push(transition);
    return transition;
  }

  /** The next sample, one step later, with this surprise. */
  next(value: number, more: Partial<Observation> = {}, stepMs = STEP_MS): IncidentState | null {
    this.#timeMs += stepMs;
    return this.see({ timeMs: this.#timeMs, readings: [reading(value)], ...more })?.state ?? null;
  }

  quiet(samples: number): (IncidentState | null)[] {
    return Array.from({ length: samples }, () => this.next(0));
  }
}

const RANK: Readonly<Record<Severity, number>> = { info: 0, warning: 1, critical: 2 };

/** What the rules say, in another form than the reducer: over the whole past instead of a folded state. */
class Oracle {
  readonly #settings: IncidentSettings;
  #past: { readonly timeMs: number; readonly notified: boolean }[] = [];
  #open: { severity: Severity; notifiedAtMs: number; quiet: number } | null = null;
  #coolUntilMs = 0;
  #flags: boolean[] = [];

  constructor(settings: IncidentSettings) {
    this.#settings = settings;
  }

  get standing(): boolean {
    return this.#open !== null;
  }

  /** Rises by a step a notification, sinks with time, never below nothing. */
  guard(nowMs: number): number {
    const { guardStep, infoPerDay } = this.#settings;
    let guard = 0;
    let last: number | null = null;
    for (const { timeMs, notified } of [...this.#past, { timeMs: nowMs, notified: false }]) {
      const elapsedMs = last === null ? 0 : Math.max(0, timeMs - last);
      guard = Math.max(0, guard - (guardStep * infoPerDay * elapsedMs) / DAY_MS);
      if (notified) guard += guardStep;
      last = timeMs;
    }
    return guard;
  }

  expects(seen: Observation): IncidentState | null {
    const answer = this.#decide(seen, exp(this.guard(seen.timeMs)));
    this.#past.push({ timeMs: seen.timeMs, notified: answer === 'opened' || answer === 'updated' });
    return answer;
  }

  #decide(seen: Observation, factor: number): IncidentState | null {
    const { settings, open } = { settings: this.#settings, open: this.#open };
    if (!seen.usable) return null;
    const over = (by: number): Reading[] =>
      seen.readings.filter((r) => r.value / (r.thresholds.info * (r.repeats ? by : 1)) > 1);
    const worst = (some: readonly Reading[]): Severity =>
      [...SEVERITIES].reverse().find((s) => some.some((r) => r.value > r.thresholds[s])) ?? 'info';
    if (open === null) {
      if (seen.gate !== 'open') {
        this.#flags = [];
        return null;
      }
      const { k, n } = settings.persistence;
      const flagged = over(factor);
      this.#flags.push(flagged.length > 0);
      const enough = n <= 1 || this.#flags.slice(-n).filter(Boolean).length >= k;
      const cool = seen.timeMs >= this.#coolUntilMs;
      if (flagged.length === 0 || !enough || !cool || seen.deviation < settings.leastDeviation) return null;
      this.#open = { severity: worst(flagged), notifiedAtMs: seen.timeMs, quiet: 0 };
      return 'opened';
    }
    const flagged = seen.gate === 'open' ? over(1) : [];
    if (flagged.length > 0) {
      open.quiet = 0;
      const severity = worst(flagged);
      const rises = RANK[severity] > RANK[open.severity];
      const due = seen.timeMs - open.notifiedAtMs >= settings.renotifyMs && flagged.some((r) => r.repeats);
      if (rises) open.severity = severity;
      if (!rises && !due) return null;
      open.notifiedAtMs = seen.timeMs;
      return 'updated';
    }
    const lingers = seen.gate === 'open' && over(settings.clearFactor).length > 0;
    if (!lingers) open.quiet++;
    if (open.quiet <= settings.mergeSamples) return null;
    this.#open = null;
    this.#flags = [];
    this.#coolUntilMs = seen.timeMs + settings.coolDownMs;
    return 'resolved';
  }
}

const settingsOf: fc.Arbitrary<IncidentSettings> = fc
  .record({
    mergeSamples: fc.integer({ min: 0, max: 5 }),
    clearFactor: fc.constantFrom(0.5, 0.8, 1),
    renotifyMs: fc.constantFrom(STEP_MS, HOUR_MS),
    coolDownMs: fc.constantFrom(0, 0, 10 * STEP_MS, HOUR_MS),
    n: fc.constantFrom(1, 1, 3, 5),
    k: fc.integer({ min: 1, max: 5 }),
    leastDeviation: fc.constantFrom(0, 0, 3),
    guardStep: fc.constantFrom(0, 0.05, 0.5),
    infoPerDay: fc.constantFrom(1, 24, 1000),
  })
  .map(({ n, k, ...rest }) => ({ ...rest, persistence: { k: Math.min(k, n), n } }));

const ratioOf = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.double({ min: 0, max: 6, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(1, 2, 4, 1e6, Number.POSITIVE_INFINITY, Number.NaN, -3) },
);
const observationOf = fc.record({
  stepMs: fc.constantFrom(STEP_MS, STEP_MS, STEP_MS, STEP_MS, 0, -STEP_MS, 60_000, HOUR_MS, DAY_MS),
  usable: fc.constantFrom(true, true, true, true, true, true, false),
  gate: fc.constantFrom<Observation['gate']>('open', 'open', 'open', 'open', 'open', 'warmup', 'maintenance'),
  values: fc.tuple(ratioOf, ratioOf, ratioOf, ratioOf),
  deviation: fc.constantFrom(0, 2.9, 3, 50),
});

const runOf = fc.array(observationOf, { minLength: 1, maxLength: 120 }).map((steps) => {
  let timeMs = 1_700_000_000_000;
  return steps.map(({ stepMs, values, ...rest }): Observation => {
    timeMs += stepMs;
    const names = ['surprise', 'forest', 'constant', 'stuck'] as const;
    return { ...rest, timeMs, readings: names.map((name, i) => reading(values[i] as number, name)) };
  });
});

describe('the reducer, whatever comes', () => {
  test('does what the rules say over the whole past', () => {
    fc.assert(
      fc.property(settingsOf, runOf, (settings, run) => {
        const host = new Host(settings);
        const oracle = new Oracle(settings);
        for (const seen of run) {
          const expected = oracle.expects(seen);
          expect(host.see(seen)?.state ?? null).toBe(expected);
          expect(host.state.standing !== null).toBe(oracle.standing);
          expect(host.state.guard).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('each incident is opened once, then updated, then resolved once; severity never falls; never two', () => {
    fc.assert(
      fc.property(settingsOf, runOf, (settings, run) => {
        const host = new Host(settings);
        let current: { id: string; severity: Severity } | null = null;
        let ended = 0;
        for (const seen of run) {
          const transition = host.see(seen);
          const { standing } = host.state;
          if (current !== null && standing !== null) {
            expect(standing.id).toBe(current.id);
            expect(RANK[standing.severity]).toBeGreaterThanOrEqual(RANK[current.severity]);
            if (standing.severity !== current.severity) expect(transition?.state).toBe('updated');
          }
          if (transition?.state === 'opened') {
            expect(current).toBeNull();
            expect(Number(transition.incident.id)).toBe(ended + 1);
          } else if (transition?.state === 'resolved') {
            expect(transition.incident.id).toBe(current?.id);
            expect(standing).toBeNull();
            ended++;
          } else if (transition !== null) {
            expect(transition).toMatchObject({ state: 'updated', incident: { id: current?.id } });
          }
          if (transition !== null) expect(transition.atMs).toBe(seen.timeMs);
          current = standing === null ? null : { id: standing.id, severity: standing.severity };
        }
      }),
      { numRuns: 300 },
    );
  });

  test('its state is JSON: a restart at any point changes nothing that follows', () => {
    fc.assert(
      fc.property(settingsOf, runOf, fc.nat(), (settings, run, cut) => {
        const through = new Host(settings);
        const restarted = new Host(settings);
        run.forEach((seen, i) => {
          if (i === cut % run.length) restarted.state = JSON.parse(JSON.stringify(restarted.state));
          expect(restarted.see(seen)?.state).toBe(through.see(seen)?.state);
        });
        expect(JSON.parse(JSON.stringify(restarted.state))).toEqual(
          JSON.parse(JSON.stringify(through.state)),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('a reading without bounds is kept as the largest number: JSON knows no infinity', () => {
    const host = new Host();
    host.next(Number.POSITIVE_INFINITY);
    expect(host.state.standing?.peak).toBe(Number.MAX_VALUE);
    expect(host.transitions[0]?.reading?.value).toBe(Number.MAX_VALUE);
    expect(JSON.parse(JSON.stringify(host.state))).toEqual(host.state);
  });

  test('counts: samples over the threshold, those not told of, notifications', () => {
    fc.assert(
      fc.property(settingsOf, runOf, (settings, run) => {
        const host = new Host(settings);
        let told = 0;
        for (const seen of run) {
          const transition = host.see(seen);
          told = transition?.state === 'opened' ? 1 : transition?.state === 'updated' ? told + 1 : told;
          const { standing } = host.state;
          if (standing !== null) expect(standing.sampleCount - standing.suppressedCount).toBe(told);
        }
        const notifications = host.transitions.filter((t) => t.state !== 'resolved').length;
        expect(host.state.notifications).toBe(notifications);
      }),
    );
  });
});

describe('opening', () => {
  test('only over the threshold, not at it', () => {
    const host = new Host();
    expect(host.next(1)).toBeNull();
    expect(host.next(1.001)).toBe('opened');
  });

  test('severity is the highest whose threshold is passed', () => {
    for (const [value, severity] of [
      [1.5, 'info'],
      [2, 'info'],
      [2.5, 'warning'],
      [9, 'critical'],
    ] as const) {
      const host = new Host();
      host.next(value);
      expect(host.state.standing).toMatchObject({
        severity,
        trigger: 'surprise',
        peak: value,
        sampleCount: 1,
      });
    }
  });

  test('the furthest over its threshold names it, but severity comes first', () => {
    const host = new Host();
    host.next(0, { readings: [reading(1.5), reading(1.8, 'forest'), reading(1.2, 'stuck')] });
    expect(host.state.standing?.trigger).toBe('forest');
    const other = new Host();
    other.next(0, { readings: [reading(5), reading(500, 'stuck')] });
    expect(other.state.standing).toMatchObject({ trigger: 'surprise', severity: 'critical' });
  });

  test('the guard lifts the bar for triggers, not for rules, and not for what stands', () => {
    const host = new Host({ guardStep: 0.5, mergeSamples: 0 });
    expect([host.next(1.1), host.next(1.1), host.next(0)]).toEqual(['opened', null, 'resolved']);
    expect(host.state.guard).toBeCloseTo(0.5, 3);
    expect(host.next(1.6)).toBeNull();
    expect(host.next(0, { readings: [reading(1.1, 'constant')] })).toBe('opened');
    expect(host.next(0)).toBe('resolved');
    expect(host.next(2.8)).toBe('opened');
  });

  test('the guard rises by a step a notification and sinks by step times budget a day', () => {
    const host = new Host({ guardStep: 0.1, infoPerDay: 2 });
    for (const value of [1.5, 2.5, 4.5]) host.next(value, {}, 0);
    expect(host.state.guard).toBeCloseTo(0.3, 12);
    host.next(0, { usable: false }, DAY_MS / 2);
    expect(host.state.guard).toBeCloseTo(0.2, 12);
    host.next(0, { usable: false }, 30 * DAY_MS);
    expect(host.state.guard).toBe(0);
  });

  test('k of n: the third of five opens, and what opened is forgotten', () => {
    const host = new Host({ persistence: { k: 3, n: 5 }, mergeSamples: 0 });
    expect([2, 0, 2, 0, 0, 2, 2].map((v) => host.next(v))).toEqual([
      null,
      null,
      null,
      null,
      null,
      null,
      'opened',
    ]);
    expect([0, 2, 2, 2].map((v) => host.next(v))).toEqual(['resolved', null, null, 'opened']);
  });

  test('least deviation: a jump that no metric bears out opens nothing', () => {
    const host = new Host({ leastDeviation: 3 });
    expect(host.next(9, { deviation: 2.9 })).toBeNull();
    expect(host.next(9, { deviation: 3 })).toBe('opened');
  });

  test('behind a gate nothing opens, and what was counted towards k of n is forgotten', () => {
    for (const gate of ['warmup', 'maintenance'] as const) {
      const host = new Host({ persistence: { k: 2, n: 2 } });
      expect([host.next(9), host.next(9, { gate }), host.next(9), host.next(9)]).toEqual([
        null,
        null,
        null,
        'opened',
      ]);
    }
  });

  test('too little measured decides nothing', () => {
    const host = new Host({ mergeSamples: 1 });
    expect(host.next(9, { usable: false })).toBeNull();
    expect(host.next(9)).toBe('opened');
    for (let i = 0; i < 50; i++) expect(host.next(0, { usable: false })).toBeNull();
    expect(host.state.standing?.quietSamples).toBe(0);
    expect(host.quiet(2)).toEqual([null, 'resolved']);
  });
});

describe('standing', () => {
  test('is told again each hour, and folds the rest', () => {
    const host = new Host();
    const states = Array.from({ length: 3 * 720 + 1 }, () => host.next(1.5));
    expect(states.filter((s) => s !== null)).toEqual(['opened', 'updated', 'updated', 'updated']);
    expect(states[720]).toBe('updated');
    expect(host.state.standing).toMatchObject({ sampleCount: 2161, suppressedCount: 2157 });
  });

  test('a rise of severity is told at once and starts the hour anew; a fall is not told', () => {
    const host = new Host();
    expect([1.5, 3, 1.5, 5, 3].map((v) => host.next(v))).toEqual([
      'opened',
      'updated',
      null,
      'updated',
      null,
    ]);
    expect(host.state.standing).toMatchObject({ severity: 'critical', peak: 5 });
    expect(host.next(1.5, {}, HOUR_MS - 2 * STEP_MS)).toBeNull();
    expect(host.next(1.5)).toBe('updated');
  });

  test('a rule is said once, however long it holds', () => {
    const host = new Host();
    const stuck = { readings: [reading(0), reading(50, 'stuck')] };
    const states = Array.from({ length: 2000 }, () => host.next(0, stuck));
    expect(states.filter((s) => s !== null)).toEqual(['opened']);
  });

  test('a stuck sensor silences no trigger: its rise is told, and so is its hour', () => {
    const host = new Host();
    host.next(0, { readings: [reading(0), reading(50, 'stuck')] });
    expect(host.next(0, { readings: [reading(5), reading(50, 'stuck')] })).toBe('updated');
    expect(host.transitions.at(-1)).toMatchObject({
      reading: { name: 'surprise' },
      incident: { severity: 'critical' },
    });
    expect(host.next(0, { readings: [reading(1.5), reading(50, 'stuck')] }, HOUR_MS)).toBe('updated');
    expect(host.transitions.at(-1)?.reading?.name).toBe('surprise');
  });

  test('ends after one quiet sample more than flags merge over', () => {
    const host = new Host();
    host.next(2);
    expect(host.quiet(10)).toEqual(new Array(10).fill(null));
    expect(host.next(2)).toBeNull();
    expect(host.quiet(11)).toEqual([...new Array(10).fill(null), 'resolved']);
    const { incident, reading: none } = host.transitions.at(-1) as Transition;
    expect(none).toBeNull();
    expect(incident).toMatchObject({ sampleCount: 2, lastFlagMs: 12 * STEP_MS });
  });

  test('lingers between the clear threshold and its own, without being counted', () => {
    const host = new Host({ clearFactor: 0.5, mergeSamples: 2 });
    host.next(2);
    for (let i = 0; i < 20; i++) expect(host.next(0.8)).toBeNull();
    expect(host.state.standing?.sampleCount).toBe(1);
    expect([0.4, 0.4, 0.4].map((v) => host.next(v))).toEqual([null, null, 'resolved']);
  });

  test('behind a gate it only runs out', () => {
    const host = new Host({ mergeSamples: 1 });
    host.next(2);
    expect([host.next(9, { gate: 'maintenance' }), host.next(9, { gate: 'maintenance' })]).toEqual([
      null,
      'resolved',
    ]);
  });

  test('cool-down keeps the next one away', () => {
    const host = new Host({ coolDownMs: 10 * STEP_MS, mergeSamples: 0, guardStep: 0 });
    host.next(2);
    expect(host.next(0)).toBe('resolved');
    for (let i = 0; i < 9; i++) expect(host.next(9)).toBeNull();
    expect(host.next(9)).toBe('opened');
  });

  test('unwatched, it is ended as such; nothing standing, nothing ends', () => {
    expect(invalidateIncident(INITIAL_INCIDENT_STATE, 5)).toEqual({
      state: INITIAL_INCIDENT_STATE,
      transition: null,
    });
    const host = new Host();
    host.next(2);
    const { state, transition } = invalidateIncident(host.state, 99);
    expect(state.standing).toBeNull();
    expect(transition).toMatchObject({
      state: 'invalidated',
      incident: { id: '1' },
      atMs: 99,
      reading: null,
    });
  });
});
