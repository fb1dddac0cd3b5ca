import { expect, test } from 'vitest';
import { gaussLegendre } from '../../core/quadrature.ts';

test('Gauss-Legendre points integrate powers exactly, up to a degree below twice their number', () => {
  for (const points of [1, 2, 3, 4, 9, 32, 100]) {
    const { nodes, weights } = gaussLegendre(points);
    for (let degree = 0; degree < 2 * points; degree++) {
      const integral = nodes.reduce((sum, x, i) => sum + (weights[i] as number) * x ** degree, 0);
      expect(Math.abs(integral - 1 / (degree + 1))).toBeLessThan(1e-14);
    }
    const beyond = nodes.reduce((sum, x, i) => sum + (weights[i] as number) * x ** (2 * points), 0);
    if (points < 9) expect(Math.abs(beyond - 1 / (2 * points + 1))).toBeGreaterThan(1e-7);
  }
});
