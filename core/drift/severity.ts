/**
 * How bad drift is, 1 to 10: points for how far the farthest stream is beyond its threshold, for the share of the
 * metrics that have drifted, and for how long. None of the three can lower it. docs/DRIFT.md has the table, and what
 * simulated hosts get.
 */
export interface DriftExtent {
  /** Largest D, or Wasserstein distance, as a share of its threshold. */
  readonly exceedance: number;
  /** Share of the judged metrics over their thresholds. */
  readonly share: number;
  /** Decisions in a row, half a window apart, at which some stream was over: 0 where none is. */
  readonly persistence: number;
}

/** [from, points] */
type Steps = readonly (readonly [from: number, points: number])[];
export const EXCEEDANCE_POINTS: Steps = [
  [0.75, 1],
  [1, 2],
  [1.5, 3],
  [2.5, 4],
];
export const SHARE_POINTS: Steps = [
  [0.25, 1],
  [0.5, 2],
];
export const PERSISTENCE_POINTS: Steps = [
  [2, 1],
  [5, 2],
  [14, 3],
];

export function driftSeverity({ exceedance, share, persistence }: DriftExtent): number {
  const over = persistence > 0;
  // Below its threshold nothing has drifted, by whatever share.
  const size = points(EXCEEDANCE_POINTS, over ? Math.max(1, exceedance) : Math.min(exceedance, 0.99));
  if (!over) return 1 + size;
  return 1 + size + points(SHARE_POINTS, share) + points(PERSISTENCE_POINTS, persistence);
}

function points(steps: Steps, x: number): number {
  let reached = 0;
  for (const [from, value] of steps) if (x >= from) reached = value;
  return reached;
}
