/**
 * Elementary functions from +, -, *, / alone. IEEE 754 fixes the bits of those on every machine, but not of
 * Math.log or Math.exp, so whatever decides a score, a threshold or a fit uses these. Error below 2 ulp.
 */

const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const bits = new DataView(new ArrayBuffer(8));

/** Natural logarithm. NaN below 0, -Infinity at 0. */
export function ln(x: number): number {
  if (!(x >= 0)) return Number.NaN;
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (x === Number.POSITIVE_INFINITY) return x;
  let exponent = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 18014398509481984;
    exponent = -54;
  }
  bits.setFloat64(0, x);
  const high = bits.getUint32(0);
  exponent += (high >>> 20) - 1023;
  bits.setUint32(0, (high & 0xfffff) | 0x3ff00000);
  let mantissa = bits.getFloat64(0);
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent += 1;
  }
  // ln m = 2 artanh s; |s| <= 0.1716, so eleven terms reach double precision.
  const s = (mantissa - 1) / (mantissa + 1);
  const z = s * s;
  let sum = 0;
  for (let k = 21; k >= 3; k -= 2) sum = (sum + 1 / k) * z;
  return exponent * LN2_HIGH + (2 * s + (2 * s * sum + exponent * LN2_LOW));
}

/** e to the power of x. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.782712893384) return Number.POSITIVE_INFINITY;
  if (x < -745.1332191019412) return 0;
  const k = Math.floor(x / Math.LN2 + 0.5);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let sum = 1;
  for (let n = 14; n >= 1; n--) sum = 1 + (sum * r) / n;
  // Two steps, so that results in the subnormal range are reached without an overflowing factor.
  const half = Math.floor(k / 2);
  return sum * powerOfTwo(half) * powerOfTwo(k - half);
}

function powerOfTwo(k: number): number {
  bits.setUint32(0, (k + 1023) << 20);
  bits.setUint32(4, 0);
  return bits.getFloat64(0);
}

/** Sample quantile, linear interpolation (Hyndman-Fan type 7, numpy's default). `sorted` ascending, not empty. */
export function quantileSorted(sorted: ArrayLike<number>, q: number): number {
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (position - below);
}

/**
 * Median of the distances from the median. Those of the upper half ascend, those of the lower half do so backwards: no
 * second sorting. `sorted` ascending; 0 where it is empty.
 */
export function medianDeviation(sorted: ArrayLike<number>): number {
  if (sorted.length === 0) return 0;
  const median = quantileSorted(sorted, 0.5);
  const middle = (sorted.length - 1) >> 1;
  let below = middle;
  let above = middle + 1;
  let last = 0;
  let deviation = 0;
  for (let i = 0; i <= middle + 1 && i < sorted.length; i++) {
    last = deviation;
    const down = below < 0 ? Number.POSITIVE_INFINITY : median - (sorted[below] as number);
    const up = above >= sorted.length ? Number.POSITIVE_INFINITY : (sorted[above] as number) - median;
    if (down <= up) below--;
    else above++;
    deviation = down <= up ? down : up;
  }
  // The one in the middle, or between the two of them.
  if (sorted.length === 1) return deviation;
  return sorted.length % 2 === 1 ? last : last + (deviation - last) * 0.5;
}

/** Finite values in ascending order. */
export function sortedFinite(values: ArrayLike<number>): Float64Array {
  const kept = new Float64Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isFinite(value)) kept[count++] = value;
  }
  return kept.subarray(0, count).sort();
}
