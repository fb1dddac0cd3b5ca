import type { Stepwise } from '../features.ts';
import { cellDistance } from './distance.ts';
import { BLOCKS_PER_WINDOW } from './reference.ts';

/** A stretch of time and how many of its values lie in each cell. */
export interface Block {
  /** Its start divided by its length. */
  readonly index: number;
  readonly counts: Uint32Array;
}

/** How far a window lies from what was expected; both are counts or shares in the cells. */
export type Distance = (window: Float64Array, expected: Float64Array) => number;

/**
 * D (or another distance) of each window of whole blocks against all the others of the reference, windows overlapping by
 * half. A window is held against its own kinds of time in proportion, as live ones are.
 * @param partOf which kind of time a block is: 0 or 1
 */
export function* leaveOneOut(
  blocks: readonly Block[],
  partOf: (index: number) => number,
  distance: Distance = cellDistance,
): Stepwise<number[]> {
  const cells = blocks[0]?.counts.length ?? 0;
  const totals = [new Float64Array(cells), new Float64Array(cells)] as const;
  for (const { index, counts } of blocks) add(totals[partOf(index) as 0 | 1], counts);
  yield;
  const sizes = totals.map(sum);
  const distances: number[] = [];
  const inside = new Float64Array(cells);
  const window = new Float64Array(cells);
  const expected = new Float64Array(cells);
  for (let first = 0; first + BLOCKS_PER_WINDOW <= blocks.length; first++) {
    const index = (blocks[first] as Block).index;
    const last = blocks[first + BLOCKS_PER_WINDOW - 1] as Block;
    // Decisions are taken at even blocks; a window with a gap in it is none.
    if (index % 2 !== 0 || last.index - index !== BLOCKS_PER_WINDOW - 1) continue;
    const own = blocks.slice(first, first + BLOCKS_PER_WINDOW);
    window.fill(0);
    expected.fill(0);
    let known = true;
    for (const part of [0, 1] as const) {
      const these = own.filter((block) => partOf(block.index) === part);
      if (these.length === 0) continue;
      inside.fill(0);
      for (const { counts } of these) add(inside, counts);
      const taken = sum(inside);
      const rest = (sizes[part] as number) - taken;
      // Less than a window of the kind is left to compare with.
      if (rest < taken) known = false;
      const share = these.length / BLOCKS_PER_WINDOW / rest;
      const total = totals[part];
      for (let cell = 0; cell < cells; cell++) {
        const count = inside[cell] as number;
        window[cell] = (window[cell] as number) + count;
        expected[cell] = (expected[cell] as number) + share * ((total[cell] as number) - count);
      }
    }
    const d = known ? distance(window, expected) : Number.NaN;
    if (Number.isFinite(d)) distances.push(d);
    yield;
  }
  return distances;
}

function add(total: Float64Array, counts: Uint32Array): void {
  for (let cell = 0; cell < total.length; cell++) {
    total[cell] = (total[cell] as number) + (counts[cell] as number);
  }
}

function sum(values: Float64Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] as number;
  return total;
}
