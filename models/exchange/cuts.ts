import type { IsolationForest } from '../../core/isolation-forest.ts';

/** Mean of each feature's cuts, weighed by the rows that they parted; 0 where it is never cut. */
export function averageCuts({ features, trees }: IsolationForest): Float64Array {
  const means = new Float64Array(features);
  const weights = new Float64Array(features);
  for (const { feature, threshold, samples } of trees) {
    for (let node = 0; node < feature.length; node++) {
      const index = feature[node] as number;
      if (index < 0) continue;
      const rows = samples[node] as number;
      // A running mean: the sum of cuts near the greatest double would be none.
      weights[index] = (weights[index] as number) + rows;
      const mean = means[index] as number;
      const share = rows / (weights[index] as number);
      means[index] = mean * (1 - share) + (threshold[node] as number) * share;
    }
  }
  return means;
}
