/**
 * Gauss-Legendre quadrature on [0, 1]: exact for polynomials of a degree below twice the number of points. Nodes are
 * found from the outermost inwards by Newton's method with the roots that are known divided out (Maehly 1954), which
 * needs no first guess and, from beyond the largest root, cannot pass one by.
 */
export function gaussLegendre(points: number): { nodes: Float64Array; weights: Float64Array } {
  const nodes = new Float64Array(points);
  const weights = new Float64Array(points);
  const roots: number[] = [];
  for (let k = 0; k < points; k++) {
    let x = k === 0 ? 1 : (roots[k - 1] as number);
    // From the last root itself the step is not defined: a little below it is.
    if (k > 0) x -= 1e-3 / (points * points);
    let { value, slope } = legendre(points, x);
    for (let step = 0; step < 100; step++) {
      let known = 0;
      for (const root of roots) known += 1 / (x - root);
      const change = value / (slope - value * known);
      x -= change;
      ({ value, slope } = legendre(points, x));
      if (Math.abs(change) < 1e-13) break;
    }
    // A last plain step: the divided-out roots leave rounding behind.
    x -= value / slope;
    ({ slope } = legendre(points, x));
    roots.push(x);
    nodes[k] = (1 - x) / 2;
    weights[k] = 1 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights };
}

/** Value and derivative of the Legendre polynomial of this degree, by its recurrence; |x| <= 1. */
function legendre(degree: number, x: number): { value: number; slope: number } {
  let before = 0;
  let value = 1;
  let slopeBefore = 0;
  let slope = 0;
  for (let k = 1; k <= degree; k++) {
    const next = ((2 * k - 1) * x * value - (k - 1) * before) / k;
    const nextSlope = slopeBefore + (2 * k - 1) * value;
    before = value;
    value = next;
    slopeBefore = slope;
    slope = nextSlope;
  }
  return { value, slope };
}
