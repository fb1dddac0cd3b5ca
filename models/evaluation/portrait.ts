import { createDetector } from '../../core/create-detector.ts';
import { cellDistance } from '../../core/drift/distance.ts';
import { countCells } from '../../core/drift/reference.ts';
import { sortedFinite } from '../../core/math.ts';
import { type Model, REFERENCE_QUANTILES } from '../../core/model.ts';
import { modelCells } from '../drift/source.ts';
import type { Seen } from '../training/assess.ts';

/** Rows of a group whose contributions are taken, evenly over time; a standard forest's cost milliseconds each. */
const EXPLAINED_ROWS = { 'metric-forests': 1500, 'isolation-forest': 300 } as const;

/** Mean contributions, one a metric of the model's schema, in units of what the detector explains. */
export interface MeanContributions {
  readonly group: 'alarms' | 'labelled' | 'other';
  readonly rows: number;
  readonly means: readonly number[];
}

/** Which features speak in alarms, in labelled segments, and in all other rows. */
export function meanContributions(model: Model, seen: readonly Seen[]): MeanContributions[] {
  const groups = (['alarms', 'labelled', 'other'] as const).map((group) => ({
    group,
    sums: new Float64Array(model.schema.length),
    rows: 0,
    there: 0,
    every: 1,
  }));
  const memberships = (flag: number, label: number): readonly boolean[] => [
    flag === 1,
    label === 1,
    flag !== 1 && label !== 1,
  ];
  for (const { observed, labels } of seen) {
    for (let row = 0; row < observed.flags.length; row++) {
      memberships(observed.flags[row] as number, labels?.[row] ?? 0).forEach((member, g) => {
        if (member) (groups[g] as (typeof groups)[number]).there++;
      });
    }
  }
  const most = EXPLAINED_ROWS[model.detector];
  for (const group of groups) group.every = Math.max(1, Math.ceil(group.there / most));
  const counts = groups.map(() => 0);
  const out = new Float64Array(model.schema.length);
  for (const { part, observed, labels } of seen) {
    const { recording, from } = part;
    const columns = model.schema.map(({ name }) => recording.columns[recording.names.indexOf(name)]);
    const detector = createDetector(model);
    const values = new Float64Array(columns.length);
    for (let row = 0; row < recording.timesMs.length; row++) {
      for (let m = 0; m < columns.length; m++) values[m] = columns[m]?.[row] ?? Number.NaN;
      detector.score(values);
      if (row < from) continue;
      const member = memberships(observed.flags[row - from] as number, labels?.[row - from] ?? 0);
      const taking = groups.filter((group, g) => {
        if (!member[g]) return false;
        const turn = counts[g] as number;
        counts[g] = turn + 1;
        return turn % group.every === 0;
      });
      if (taking.length === 0) continue;
      detector.contributions(out);
      for (const group of taking) {
        group.rows++;
        for (let m = 0; m < out.length; m++) group.sums[m] = (group.sums[m] as number) + (out[m] as number);
      }
    }
  }
  return groups
    .filter(({ rows }) => rows > 0)
    .map(({ group, rows, sums }) => ({ group, rows, means: Array.from(sums, (sum) => sum / rows) }));
}

/** The model's columns of a recording by their mean absolute contribution in alarms, the heaviest first. */
export function columnsByWeight(
  model: Model,
  names: readonly string[],
  contributions: readonly MeanContributions[],
): number[] {
  const weight = (name: string): number => {
    const at = model.schema.findIndex((metric) => metric.name === name);
    return contributions.reduce((sum, { means }) => Math.max(sum, Math.abs(means[at] ?? 0)), 0);
  };
  return names
    .map((name, i) => ({
      i,
      known: model.schema.some((metric) => metric.name === name),
      weight: weight(name),
    }))
    .filter(({ known }) => known)
    .sort((a, b) => b.weight - a.weight || a.i - b.i)
    .map(({ i }) => i);
}

/** How far the test rows of a metric (or the score) are from what the model learned. */
export interface DriftFigures {
  readonly name: string;
  readonly unit: string;
  /** Kolmogorov-Smirnov D at the knots that the model keeps, or else at its 33 quantiles; null: never seen. */
  readonly distance: number | null;
  readonly missing: number;
  /** 33 quantiles each, in the metric's unit; null where never seen. */
  readonly trained: readonly number[] | null;
  readonly tested: readonly number[] | null;
}

export function measureDrift(model: Model, seen: readonly Seen[]): DriftFigures[] {
  const figures = (stream: number, trained: Float64Array, parts: readonly Float64Array[]): DriftFigures => {
    const { name, unit } = model.schema[stream] ?? { name: 'score', unit: 'score' };
    const rows = parts.reduce((sum, part) => sum + part.length, 0);
    const all = new Float64Array(rows);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    const sorted = sortedFinite(all);
    const known = !Number.isNaN(trained[0]);
    const cells = modelCells(model, stream);
    const distance = cellDistance(cells.weights, countCells(sorted, cells.values));
    return {
      name,
      unit,
      distance: Number.isFinite(distance) ? distance : null,
      missing: rows === 0 ? 0 : (rows - sorted.length) / rows,
      trained: known ? Array.from(trained) : null,
      tested: sorted.length === 0 ? null : quantilesOf(sorted),
    };
  };
  const { metrics, score } = model.reference;
  return [
    ...model.schema.map(({ name }, i) =>
      figures(
        i,
        metrics.subarray(i * REFERENCE_QUANTILES, (i + 1) * REFERENCE_QUANTILES),
        seen.map(({ part: { recording, from } }) => {
          const column = recording.columns[recording.names.indexOf(name)];
          return column?.subarray(from) ?? new Float64Array(recording.timesMs.length - from).fill(Number.NaN);
        }),
      ),
    ),
    figures(
      model.schema.length,
      score,
      seen.map(({ observed }) => observed.scores),
    ),
  ];
}

const quantilesOf = (sorted: Float64Array): number[] =>
  Array.from({ length: REFERENCE_QUANTILES }, (_, i) => {
    const position = ((sorted.length - 1) * i) / (REFERENCE_QUANTILES - 1);
    const below = Math.floor(position);
    const low = sorted[below] as number;
    return low + ((sorted[Math.min(below + 1, sorted.length - 1)] as number) - low) * (position - below);
  });
