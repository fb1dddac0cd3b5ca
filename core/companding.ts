import { exp, ln } from './math.ts';

/**
 * Numbers of a forest in 8 bits: code k in -127..127 stands for 0.05 sinh(k/127 asinh(1000)), so 0.003 standard
 * deviations fine near 0 and 50 at the ends.
 */
const ASINH_1000 = ln(1000 + Math.sqrt(1000 * 1000 + 1));

/** Value of code k at index k + 127; ascending. */
export const CODE_VALUES: Float64Array = Float64Array.from({ length: 255 }, (_, i) => {
  const k = i - 127;
  if (k === 0) return 0;
  const y = (Math.abs(k) / 127) * ASINH_1000;
  const value = 0.05 * ((exp(y) - exp(-y)) / 2);
  return k < 0 ? -value : value;
});
CODE_VALUES[0] = -50;
CODE_VALUES[254] = 50;

/** Index of the largest code value <= x (0 where x is below all). */
export function codeBelow(x: number): number {
  let low = 0;
  let high = CODE_VALUES.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((CODE_VALUES[middle] as number) <= x) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Index of the smallest code value >= x (the last where x is above all). */
export function codeAbove(x: number): number {
  const below = codeBelow(x);
  return (CODE_VALUES[below] as number) >= x ? below : Math.min(below + 1, CODE_VALUES.length - 1);
}

/** Index of the nearest code value; the lower one in a tie. */
export function codeNearest(x: number): number {
  const below = codeBelow(x);
  const above = Math.min(below + 1, CODE_VALUES.length - 1);
  return (CODE_VALUES[above] as number) - x < x - (CODE_VALUES[below] as number) ? above : below;
}
