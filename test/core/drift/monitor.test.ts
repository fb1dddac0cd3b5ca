import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { fitDriftReference } from '../../../core/drift/calibration.ts';
import { type DriftDecision, DriftMonitor, type DriftState } from '../../../core/drift/monitor.ts';
import { DAY_MS, type DriftReference } from '../../../core/drift/reference.ts';
import { driftSeverity } from '../../../core/drift/severity.ts';
import { type DriftSample, DriftWindows, windowBytes } from '../../../core/drift/windows.ts';
import { runToEnd } from '../../../core/features.ts';
import { Random } from '../../../core/random.ts';

const INTERVAL_MS = 60_000;
const START_MS = Date.UTC(2026, 0, 5);
const LIVE_MS = START_MS + 14 * DAY_MS;
const HOUR_MS = 3_600_000;

/** Two noisy metrics, a constant, one that rests at zero half of the time; the score is the first's. */
function* samples(
  seed: number,
  fromMs: number,
  days: number,
  intervalMs = INTERVAL_MS,
): Generator<DriftSample> {
  const random = new Random(seed);
  for (let timeMs = fromMs; timeMs < fromMs + days * DAY_MS; timeMs += intervalMs) {
    const noise = (): number => random.float() + random.float() + random.float();
    const values = Float64Array.of(10 + noise(), noise(), 7, random.below(2) * noise());
    yield { timeMs, values, score: values[0] as number, inIncident: false };
  }
}

let reference: DriftReference;
beforeAll(() => {
  const rows = [...samples(1, START_MS, 14)];
  reference = runToEnd(
    fitDriftReference({
      columns: [0, 1, 2, 3, 4].map((stream) =>
        rows.map(({ values, score }) => [...Array.from(values), score][stream] as number),
      ),
      timeOf: (row) => START_MS + row * INTERVAL_MS,
      intervalMs: INTERVAL_MS,
      leastEffects: [0, 0, 0.5, 0, 0],
    }),
  ) as DriftReference;
});

type Change = (sample: DriftSample) => Partial<DriftSample> | null;
const withValue = (sample: DriftSample, stream: number, x: number): Partial<DriftSample> => ({
  values: Float64Array.from(sample.values, (value, i) => (i === stream ? x : value)),
});

function run(
  change: Change,
  days = 5,
  monitor = new DriftMonitor(reference, INTERVAL_MS, 'a'),
): DriftDecision[] {
  const decisions: DriftDecision[] = [];
  for (const sample of samples(2, LIVE_MS, days)) {
    const changed = change(sample);
    if (changed !== null) decisions.push(...monitor.update({ ...sample, ...changed }));
  }
  return decisions;
}
const unchanged: Change = () => ({});
const since = (sample: DriftSample, days: number): boolean => sample.timeMs >= LIVE_MS + days * DAY_MS;
const judged = (decisions: readonly DriftDecision[]): readonly DriftDecision[] =>
  decisions.filter((decision) => decision.unjudged === null);

test('the score of a sample that does not enter its slot is of no matter', () => {
  const [all, few] = [new DriftWindows(reference, 5000), new DriftWindows(reference, 5000)];
  let entered = 0;
  for (const sample of samples(2, LIVE_MS, 0.25, 5000)) {
    all.update(sample, () => {});
    const enters = few.enters(sample.timeMs);
    if (enters) entered++;
    few.update({ ...sample, score: enters ? sample.score : Number.NaN }, () => {});
  }
  expect(entered).toBe(0.25 * 2880);
  expect(few.distance(4)).toBe(all.distance(4));
  expect(few.distance(4)).toBeGreaterThan(0);
});

describe('decisions', () => {
  test('every half window, the first when a window is full; nothing is found where nothing is', () => {
    const decisions = run(unchanged);
    expect(decisions.map(({ atMs }) => (atMs - LIVE_MS) / HOUR_MS)).toEqual([
      12, 24, 36, 48, 60, 72, 84, 96, 108,
    ]);
    expect(decisions.map(({ unjudged }) => unjudged).slice(0, 2)).toEqual(['filling', null]);
    for (const { phase, severity, faults, kinds } of judged(decisions)) {
      expect({ phase, severity, faults, kinds }).toEqual({
        phase: 'steady',
        severity: 1,
        faults: [],
        kinds: [],
      });
    }
  });

  test('a lasting shift is suspected, warned of, and asks for retraining once a day', () => {
    const decisions = run(
      (sample) => (since(sample, 1) ? withValue(sample, 1, (sample.values[1] as number) + 1) : {}),
      7,
    );
    const over = judged(decisions).filter(({ streams }) => streams[1]?.over === true);
    expect(over.map(({ phase }) => phase)).toEqual([
      'suspected',
      ...Array<string>(over.length - 1).fill('drifting'),
    ]);
    expect(over[0]?.kinds).toEqual(['input']);
    expect(over[0]?.streams[1]?.direction).toBe('higher');
    expect(over.at(-1)?.streams[1]?.shift).toBeCloseTo(1, 1);
    expect(over.map(({ retrain }) => retrain).indexOf(true)).toBe(4);
    const requests = over.filter(({ retrain }) => retrain);
    expect(requests.length).toBeGreaterThan(1);
    requests.slice(1).forEach(({ atMs }, i) => {
      expect(atMs - (requests[i] as DriftDecision).atMs).toBeGreaterThanOrEqual(DAY_MS);
    });
    expect(over[5]?.heldBack).toBe(true);
    expect(new Set(over.map(({ severity }) => severity)).size).toBeGreaterThan(2);
  });

  test('a drift that passes is over after two clean decisions', () => {
    const decisions = judged(
      run(
        (sample) =>
          since(sample, 1) && !since(sample, 2.5)
            ? withValue(sample, 1, (sample.values[1] as number) + 2)
            : {},
        6,
      ),
    );
    const phases = decisions.map(({ phase }) => phase);
    expect(phases.at(-1)).toBe('steady');
    const last = phases.lastIndexOf('drifting');
    expect(decisions[last]?.streams[1]?.over).toBe(false);
    expect(decisions[last - 1]?.streams[1]?.over).toBe(true);
    expect(decisions.some(({ retrain }) => retrain)).toBe(false);
  });

  test('a constant that was left, but not by what nobody cares about', () => {
    const left = (to: number): boolean =>
      judged(run((sample) => withValue(sample, 2, to), 2)).some(({ streams }) => streams[2]?.over === true);
    expect(left(8)).toBe(true);
    expect(left(7.2)).toBe(false);
  });

  test('the score drifts by itself: what the model makes of the metrics has changed', () => {
    const last = judged(run((sample) => ({ score: sample.score + 1 }), 3)).at(-1);
    expect(last?.kinds).toEqual(['prediction']);
    expect(last?.phase).toBe('drifting');
  });

  test('values that spread to both sides', () => {
    const last = judged(
      run((sample) => withValue(sample, 1, 1.5 + 2 * ((sample.values[1] as number) - 1.5)), 3),
    ).at(-1);
    expect(last?.streams[1]).toMatchObject({ over: true, direction: 'shape' });
  });
});

describe('incidents', () => {
  const shifted = (sample: DriftSample): Partial<DriftSample> => ({
    ...withValue(sample, 1, (sample.values[1] as number) + 3),
    inIncident: true,
  });

  test('a short one is no drift: it is left out', () => {
    const decisions = judged(
      run((sample) => (since(sample, 2) && !since(sample, 2.2) ? shifted(sample) : {}), 4),
    );
    expect(decisions.every(({ streams }) => streams[1]?.over === false)).toBe(true);
    const shown = judged(
      run(
        (sample) =>
          since(sample, 2) && !since(sample, 2.2) ? { ...shifted(sample), inIncident: false } : {},
        4,
      ),
    );
    expect(shown.some(({ streams }) => streams[1]?.over === true)).toBe(true);
  });

  test('one that lasts fills more than a quarter of a window, and becomes drift', () => {
    const decisions = judged(run((sample) => (since(sample, 2) ? shifted(sample) : {}), 6));
    expect(decisions.some(({ phase }) => phase === 'drifting')).toBe(true);
    expect(decisions.some(({ retrain }) => retrain)).toBe(true);
  });
});

describe('faults of sensors are none of the host', () => {
  test('stuck', () => {
    const last = judged(run((sample) => (since(sample, 1) ? withValue(sample, 1, 1.2345) : {}), 3)).at(-1);
    expect(last?.faults).toEqual([{ fault: 'stuck', stream: 1 }]);
    expect(last?.streams[1]?.over).toBe(false);
    expect(last?.phase).toBe('steady');
  });

  test('at rest is not stuck', () => {
    const last = judged(run((sample) => (since(sample, 1) ? withValue(sample, 3, 0) : {}), 3)).at(-1);
    expect(last?.faults).toEqual([]);
    expect(last?.streams[3]?.over).toBe(true);
  });

  test('missing', () => {
    const last = judged(
      run((sample) => (sample.timeMs % (3 * INTERVAL_MS) === 0 ? withValue(sample, 1, Number.NaN) : {}), 2),
    ).at(-1);
    expect(last?.faults).toEqual([{ fault: 'missing', stream: 1 }]);
    expect(last?.streams[1]?.missingShare).toBeCloseTo(1 / 3, 1);
  });

  test('a clock that goes back', () => {
    const decisions = run((sample) => (since(sample, 2) ? { timeMs: sample.timeMs - HOUR_MS } : {}), 4);
    const faulty = decisions.filter(({ faults }) => faults.length > 0);
    expect(faulty.map(({ faults, unjudged }) => [faults[0]?.fault, unjudged])).toEqual([['clock', 'clock']]);
    // Far back, the windows begin anew; what was decided is not decided again.
    const monitor = new DriftMonitor(reference, INTERVAL_MS, 'a');
    run(unchanged, 3, monitor);
    expect(run(unchanged, 2.4, monitor)).toEqual([]);
  });

  test('an agent that stood still judges nothing until its window is full again', () => {
    const decisions = run((sample) => (since(sample, 2) && !since(sample, 2.55) ? null : {}), 5);
    expect(decisions.map(({ unjudged }) => unjudged)).toEqual([
      'filling',
      null,
      null,
      null,
      'filling',
      'filling',
      null,
      null,
      null,
    ]);
    const never = run((sample) => (since(sample, 0.1) && !since(sample, 4) ? null : {}), 4.9);
    expect(judged(never)).toEqual([]);
  });
});

test('a restart changes nothing: state as JSON, windows from stored samples', () => {
  const drift: Change = (sample) =>
    since(sample, 1) ? withValue(sample, 1, (sample.values[1] as number) + 1) : {};
  const whole = run(drift, 6);
  for (const stopDays of [1.3, 2.75, 4.01]) {
    const first = new DriftMonitor(reference, INTERVAL_MS, 'a');
    const before = run((sample) => (since(sample, stopDays) ? null : drift(sample)), 6, first);
    const saved = JSON.parse(JSON.stringify(first.state)) as DriftState;
    const second = new DriftMonitor(reference, INTERVAL_MS, 'a', saved);
    // The stored samples of the last window and its half.
    const after = run((sample) => (since(sample, stopDays - 1.5) ? drift(sample) : null), 6, second);
    expect([...before, ...after]).toEqual(whole);
  }
});

test('a new model begins afresh, but the last request still counts', () => {
  const saved: DriftState = {
    model: 'a',
    lastDecisionMs: LIVE_MS,
    phase: 'drifting',
    streaks: [0, 9, 0, 0, 0],
    cleanDecisions: 0,
    sinceMs: LIVE_MS,
    severity: 7,
    lastRequestMs: LIVE_MS,
  };
  const { state } = new DriftMonitor(reference, INTERVAL_MS, 'b', saved);
  expect(state).toMatchObject({
    model: 'b',
    phase: 'steady',
    streaks: [0, 0, 0, 0, 0],
    severity: 1,
    lastRequestMs: LIVE_MS,
  });
  expect(new DriftMonitor(reference, INTERVAL_MS, 'a', saved).state).toEqual(saved);
});

test('D is current after every slot, and one in six samples at 5 s enters', () => {
  const windows = new DriftWindows(reference, 5000);
  expect([windows.slotMs, windows.streams[0]?.capacity]).toEqual([30_000, 2880]);
  const seen = new Set<number>();
  for (const sample of samples(5, LIVE_MS, 0.1, 5000)) {
    windows.update(sample, () => {});
    seen.add(windows.distance(0));
  }
  expect(windows.streams[0]?.length).toBe(287);
  expect(seen.size).toBeGreaterThan(200);
  expect(windowBytes(reference, 5000)).toBeLessThan(5 * 40_000);
});

test('severity never falls when something gets worse, and stays within 1 to 10', () => {
  const extent = fc.record({
    exceedance: fc.double({ min: 0, max: 5, noNaN: true }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    persistence: fc.nat(30),
  });
  fc.assert(
    fc.property(extent, extent, (a, b) => {
      const worse = {
        exceedance: Math.max(a.exceedance, b.exceedance),
        share: Math.max(a.share, b.share),
        persistence: Math.max(a.persistence, b.persistence),
      };
      expect(driftSeverity(worse)).toBeGreaterThanOrEqual(driftSeverity(a));
      expect([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).toContain(driftSeverity(a));
    }),
  );
  expect(driftSeverity({ exceedance: 0, share: 0, persistence: 0 })).toBe(1);
  expect(driftSeverity({ exceedance: 3, share: 1, persistence: 14 })).toBe(10);
});
