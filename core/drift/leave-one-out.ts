import { cellDistance } from './distance.ts';
import { BLOCKS_PER_WINDOW } from './reference.ts';

/** A stretch of time and how many of its values lie in each cell. */
export interface Block {
  /** Its start divided by its length. */
  readonly index: number;
  readonly counts: Uint32Array;
}

/**
 * D of each window of whole blocks against all the others of the reference, windows overlapping by half. A window is
 * held against its own kinds of time in proportion, as live ones are.
 * @param partOf which kind of time a block is: 0 or 1
 */
export function leaveOneOut(blocks: readonly Block[], partOf: (index: number) => number): number[] {
  const cells = blocks[0]?.counts.length ?? 0;
  const totals = [new Float64Array(cells), new Float64Array(cells)] as const;
  for (const { index, counts } of blocks) add(totals[partOf(index) as 0 | 1], counts);
  const distances: number[] = [];
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
    for (const { counts } of own) add(window, counts);
    let known = true;
    for (const part of [0, 1] as const) {
      const inside = own.filter((block) => partOf(block.index) === part);
      if (inside.length === 0) continue;
      const rest = totals[part].slice();
      for (const { counts } of inside) add(rest, counts, -1);
      const size = rest.reduce((sum, count) => sum + count, 0);
      // Less than a window of the kind is left to compare with.
      if (size < window.reduce((sum, count) => sum + count, 0) * (inside.length / BLOCKS_PER_WINDOW))
        known = false;
      add(expected, rest, inside.length / BLOCKS_PER_WINDOW / size);
    }
    const d = known ? cellDistance(window, expected) : Number.NaN;
    if (Number.isFinite(d)) distances.push(d);
  }
  return distances;
}

function add(sum: Float64Array, counts: ArrayLike<number>, times = 1): void {
  for (let cell = 0; cell < sum.length; cell++) {
    sum[cell] = (sum[cell] as number) + times * (counts[cell] as number);
  }
}
