const float = new Float32Array(1);
const pattern = new Uint32Array(float.buffer);
const MOST = 3.4028234663852886e38;

/** The float32 next above x, x being a float32 below the greatest. */
function above(x: number): number {
  float[0] = x;
  const bits = pattern[0] as number;
  pattern[0] = x === 0 ? 1 : x > 0 ? bits + 1 : bits - 1;
  return float[0] as number;
}

function below(x: number): number {
  return -above(-x);
}

const double = new Float64Array(1);
const words = new BigInt64Array(double.buffer);

/** The double next below x; x finite, not 0. */
function doubleBelow(x: number): number {
  double[0] = x;
  words[0] = (words[0] as bigint) + (x > 0 ? -1n : 1n);
  return double[0] as number;
}

/**
 * scikit-learn rounds a row to float32 before it compares it with a threshold; this gives the threshold that decides
 * the same of the row as it is: `fround(x) <= threshold` where, and only where, `x <= forDoubles(threshold)`.
 */
export function forDoubles(threshold: number): number {
  if (threshold >= MOST || threshold < -MOST) return threshold;
  const nearest = Math.fround(threshold);
  const last = nearest <= threshold ? nearest : below(nearest);
  if (last >= MOST) return threshold;
  const next = above(last);
  const middle = (last + next) / 2;
  // A tie goes to the even one of the two.
  return Math.fround(middle) === last ? middle : middle === 0 ? -Number.MIN_VALUE : doubleBelow(middle);
}
