import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Detector } from '../../core/detector.ts';

export interface DetectorCase {
  /** A fresh detector of one and the same model. */
  readonly make: () => Detector;
  /** Samples as the model knows them, in time order: at least 100, all finite. */
  readonly rows: readonly (readonly number[])[];
  /** Metric that `extreme` is far outside of. */
  readonly metric: number;
  readonly extreme: number;
}

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);

function contributionsOf(detector: Detector): Float64Array {
  const out = new Float64Array(detector.schema.length).fill(Number.NaN);
  detector.contributions(out);
  return out;
}

/** Every Detector passes this. */
export function detectorConformance(name: string, { make, rows, metric, extreme }: DetectorCase): void {
  const row = (t: number): number[] => [...(rows[t % rows.length] as readonly number[])];
  const withValue = (t: number, at: number, value: number): number[] => {
    const out = row(t);
    out[at] = value;
    return out;
  };
  const warmed = (): Detector => {
    const detector = make();
    for (let t = 0; t < 60; t++) detector.score(row(t));
    return detector;
  };
  /** Rows of which some values are missing. */
  const gaps = (detector: Detector): fc.Arbitrary<number[]> =>
    fc
      .tuple(fc.nat(rows.length - 1), fc.array(fc.nat(detector.schema.length - 1)))
      .map(([t, missing]) => row(t).map((x, i) => (missing.includes(i) ? Number.NaN : x)));

  describe(`detector contract: ${name}`, () => {
    test('same samples, same bits; it never learns', () => {
      const a = make();
      const b = make();
      const first = rows.map((_, t) => a.score(row(t)));
      for (let t = 0; t < 500; t++) b.score(row(t * 7));
      b.reset();
      rows.forEach((_, t) => {
        expect(b.score(row(t))).toBe(first[t]);
      });
    });

    test('advance moves the windows on as a score does', () => {
      const detector = make();
      for (let t = 0; t < 59; t++) detector.advance(row(t));
      detector.score(row(59));
      const other = warmed();
      for (let t = 60; t < 90; t++) expect(detector.score(row(t))).toBe(other.score(row(t)));
    });

    test('reset forgets the windows, not the model', () => {
      const detector = warmed();
      detector.reset();
      const fresh = make();
      for (let t = 30; t < 60; t++) expect(detector.score(row(t))).toBe(fresh.score(row(t)));
    });

    test('inputs have their width, and score to the same bits with no history, through JSON too', () => {
      const detector = warmed();
      const central = make();
      fc.assert(
        fc.property(gaps(detector), (values) => {
          const score = detector.score(values);
          const inputs = detector.inputs();
          expect(inputs.length).toBe(detector.schema.length * detector.inputsPerMetric);
          const sent: (number | null)[] = JSON.parse(JSON.stringify(Array.from(inputs)));
          expect(central.scoreInputs(sent.map((x) => x ?? Number.NaN))).toBe(score);
        }),
      );
    });

    test('scoring inputs moves no window', () => {
      const a = warmed();
      const b = warmed();
      const inputs = a.inputs().slice().fill(3);
      for (let i = 0; i < 20; i++) a.scoreInputs(inputs);
      expect(a.score(row(60))).toBe(b.score(row(60)));
    });

    test('contributions add up to explained() - baseValue, from the first moment on', () => {
      const detector = make();
      const addUp = (): void => {
        const parts = contributionsOf(detector);
        expect(parts.every(Number.isFinite)).toBe(true);
        expect(sum(parts)).toBeCloseTo(detector.explained() - detector.baseValue, 9);
      };
      addUp();
      fc.assert(
        fc.property(gaps(detector), (values) => {
          detector.score(values);
          addUp();
          detector.scoreInputs(detector.inputs());
          addUp();
        }),
      );
    });

    test('explained() orders samples as the score does', () => {
      const detector = make();
      const seen = rows.map((_, t) => {
        const score = detector.score(t % 17 === 0 ? withValue(t, metric, extreme) : row(t));
        return { score, explained: detector.explained() };
      });
      seen.sort((a, b) => a.score - b.score || a.explained - b.explained);
      for (let i = 1; i < seen.length; i++) {
        const [low, high] = [seen[i - 1], seen[i]] as [(typeof seen)[0], (typeof seen)[0]];
        if (high.score > low.score) expect(high.explained).toBeGreaterThan(low.explained);
      }
    });

    test('higher is stranger, and the strange metric pushes there most', () => {
      const usual = warmed().score(row(60));
      const detector = warmed();
      expect(detector.score(withValue(60, metric, extreme))).toBeGreaterThan(usual);
      const parts = Array.from(contributionsOf(detector));
      expect(parts[metric]).toBeGreaterThan(0);
      expect(Math.max(...parts)).toBe(parts[metric]);
    });

    test('a missing extreme is no evidence: the score is that of a usual sample, and finite', () => {
      const detector = warmed();
      const strange = warmed().score(withValue(60, metric, extreme));
      expect(detector.score(withValue(60, metric, Number.NaN))).toBeLessThan(strange);
      expect(detector.score(row(0).map(() => Number.NaN))).toBeLessThan(strange);
    });

    test('whatever numbers come, the score is finite', () => {
      const number = fc.oneof(
        fc.double({ noDefaultInfinity: true }),
        fc.double({ min: 0, max: 100, noNaN: true }),
        fc.constant(Number.NaN),
      );
      const width = make().schema.length;
      fc.assert(
        fc.property(
          fc.array(fc.array(number, { minLength: width, maxLength: width }), { maxLength: 20 }),
          (some) => {
            const detector = make();
            for (const values of some) {
              expect(Number.isFinite(detector.score(values))).toBe(true);
              expect(Number.isFinite(sum(contributionsOf(detector)))).toBe(true);
            }
          },
        ),
      );
    });
  });
}
