import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Block, leaveOneOut } from '../../../core/drift/leave-one-out.ts';
import { DAY_MS, WEEK_MS, WEEKEND_MS } from '../../../core/drift/reference.ts';
import { findWeekend } from '../../../core/drift/weekend.ts';
import { runToEnd } from '../../../core/features.ts';
import { Random } from '../../../core/random.ts';

const BLOCK_MS = DAY_MS / 4;
const mean = (values: readonly number[]): number =>
  values.reduce((sum, x) => sum + x, 0) / Math.max(1, values.length);

/** By the definition: the distances of leaveOneOut, asked for at each start. */
function sumAt(streams: readonly (readonly Block[])[], startMs: number | null): number {
  return streams.reduce((sum, blocks) => {
    const all = runToEnd(leaveOneOut(blocks, () => 0));
    if (startMs === null) return sum + mean(all);
    const apart = runToEnd(
      leaveOneOut(blocks, (index) => {
        const since = (((index * BLOCK_MS - startMs) % WEEK_MS) + WEEK_MS) % WEEK_MS;
        return since < WEEKEND_MS ? 1 : 0;
      }),
    );
    return sum + (apart.length < 0.9 * all.length ? 1 : mean(apart));
  }, 0);
}

test('the weekend is the start that leaveOneOut likes best, whatever is missing', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer({ min: 48, max: 120 }),
      fc.constantFrom(0, 0.02, 0.2),
      (seed, count, gaps) => {
        const random = new Random(seed);
        const cells = 1 + 2 * random.below(6);
        const from = random.below(28);
        const streams = Array.from({ length: 2 }, () =>
          Array.from({ length: count }, (_, i): Block => {
            const weekend = (i + 28 - from) % 28 < 8 ? 8 : 0;
            return {
              index: 1000 + i,
              counts: Uint32Array.from({ length: cells }, (_, cell) =>
                random.float() < gaps ? 0 : random.below(4) + (cell % 2 === 0 ? weekend : 2),
              ),
            };
          }).filter(() => random.float() >= gaps / 4),
        );
        const found = runToEnd(findWeekend(streams, BLOCK_MS));
        const sums = Array.from({ length: 28 }, (_, start) => sumAt(streams, start * BLOCK_MS));
        const least = Math.min(sumAt(streams, null), ...sums);
        expect(sumAt(streams, found?.startMs ?? null)).toBeCloseTo(least, 12);
      },
    ),
    { numRuns: 25 },
  );
});
