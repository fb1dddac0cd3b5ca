import { describe, expect, test } from 'vitest';
import type { Comparison } from '../../../models/evaluation/comparison.ts';
import { applyGate, type GatedEvaluation, gateOf } from '../../../models/evaluation/gate.ts';

const FIGURES = { rows: 10, p50Us: 1, p95Us: 2, p99Us: 3 };
const EVALUATION: GatedEvaluation = {
  metrics: {
    rows: 1000,
    days: 2,
    precision: 0.5,
    recall: 0.5,
    f1: 0.5,
    rocAuc: 0.9,
    averagePrecision: 0.4,
    vusPr: 0.3,
    contamination: 0.01,
    alarmsPerDay: 2,
    falseAlarmsPerDay: 1,
    events: { segments: 4, found: 2, recall: 0.5, precision: 0.5, f1: 0.5, delayMs: null },
    flaggedShare: 0.1,
    injected: { spike: { faults: 0, caught: 0, recall: 0 } },
  },
  latency: { score: FIGURES, explained: FIGURES },
  modelBytes: 5000,
  robustness: [],
  comparison: null,
};
const comparison = (low: number, high: number, higherIsBetter: boolean): Comparison => ({
  differences: [
    {
      measure: higherIsBetter ? 'averagePrecision' : 'alarmsPerDay',
      value: 1,
      other: 1,
      difference: 0,
      low,
      high,
      higherIsBetter,
      outcome: 'no difference shown',
    },
  ],
  outcome: 'no difference shown',
  verdict: '',
  draws: 1000,
  level: 0.95,
  notes: [],
});

describe('gate', () => {
  test.each([
    [
      { minimum: { averagePrecision: 40 } },
      "g: minimum.averagePrecision: 40 can't be reached, expected 0 to 1.",
    ],
    [{ maximum: { flaggedShare: -0.1 } }, "g: maximum.flaggedShare: -0.1 can't be reached, expected 0 to 1."],
    [{ maximum: { alarmsPerDay: -1 } }, "g: maximum.alarmsPerDay: -1 can't be reached, expected 0 or more."],
    [{ against: { eventF1: -2 } }, "g: against.eventF1: -2 can't be reached, expected -1 to 1."],
    [{ otherVerdicts: { noise: 5 } }, "g: otherVerdicts.noise: 5 can't be reached, expected 0 to 1."],
  ])('%j is beyond what can be', (document, message) => {
    expect(() => gateOf(document, 'g')).toThrow(message);
  });

  test('bounds at the ends of what can be, and of what has no end', () => {
    const gate = gateOf(
      { minimum: { recall: 1 }, maximum: { alarmsPerDay: 40 }, against: { rocAuc: -1, alarmsPerDay: -3 } },
      'g',
    );
    expect([...gate.against]).toEqual([
      ['rocAuc', -1],
      ['alarmsPerDay', -3],
    ]);
  });

  test('a bound is met where it is reached', () => {
    const gate = gateOf(
      { minimum: { averagePrecision: 0.4 }, maximum: { modelBytes: 5000, latencyP99Us: 3 } },
      'g',
    );
    expect(applyGate(gate, EVALUATION)).toMatchObject({ passed: true });
    const strict = gateOf({ minimum: { averagePrecision: 0.41 }, maximum: { falseAlarmsPerDay: 0.9 } }, 'g');
    expect(applyGate(strict, EVALUATION)).toEqual({
      passed: false,
      conditions: [
        { condition: 'minimum.averagePrecision', bound: 0.41, found: 0.4, met: false, detail: 'at least' },
        { condition: 'maximum.falseAlarmsPerDay', bound: 0.9, found: 1, met: false, detail: 'at most' },
      ],
    });
  });

  test('what is not known is not met, and says why', () => {
    const gate = gateOf(
      {
        maximum: { delayMs: 1e9 },
        minimum: { spikeRecall: 0 },
        against: { rocAuc: -1 },
        otherVerdicts: { noise: 1 },
      },
      'g',
    );
    const { passed, conditions } = applyGate(gate, EVALUATION);
    expect(passed).toBe(false);
    expect(conditions.map(({ met, detail }) => [met, detail])).toEqual([
      [false, 'not known: the files are too short for injected faults'],
      [false, 'not known: no labelled segment was found'],
      [false, 'not known: there is nothing to compare with; name a model with --against'],
      [false, 'not known: robustness was not measured'],
    ]);
  });

  test('against: the worse end of the interval counts', () => {
    const met = (of: Comparison, against: object): boolean =>
      applyGate(gateOf({ against }, 'g'), { ...EVALUATION, comparison: of }).passed;
    expect(met(comparison(-0.02, 0.5, true), { averagePrecision: -0.02 })).toBe(true);
    expect(met(comparison(-0.03, 0.5, true), { averagePrecision: -0.02 })).toBe(false);
    expect(met(comparison(-5, 0.4, false), { alarmsPerDay: 0.5 })).toBe(true);
    expect(met(comparison(-5, 0.6, false), { alarmsPerDay: 0.5 })).toBe(false);
  });

  test.each([
    [null, 'gate.yaml: expected a map'],
    [[], 'gate.yaml: expected a map'],
    [{}, 'gate.yaml: no condition; expected one such as'],
    [{ minimun: {} }, 'gate.yaml: unknown "minimun", expected minimum, maximum, against, otherVerdicts'],
    [{ minimum: 3 }, 'gate.yaml: minimum: expected a map of figures to numbers'],
    [{ minimum: { aucPr: 1 } }, 'gate.yaml: minimum: unknown "aucPr", expected averagePrecision, rocAuc'],
    [{ maximum: { modelBytes: '1 MB' } }, 'gate.yaml: maximum.modelBytes: expected a number, found "1 MB"'],
    [{ maximum: { modelBytes: null } }, 'gate.yaml: maximum.modelBytes: expected a number, found null'],
    [{ against: { vusPr: 0 } }, 'gate.yaml: against: unknown "vusPr"'],
    [{ minimum: { constructor: 1 } }, 'gate.yaml: minimum: unknown "constructor"'],
  ])('%j is refused by key', (document, message) => {
    expect(() => gateOf(document, 'gate.yaml')).toThrow(message);
  });
});
