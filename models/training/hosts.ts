import { sortedFinite } from '../../core/math.ts';
import type { Model } from '../../core/model.ts';
import type { LearnedRows } from './parts.ts';

/** Share of a host's rows outside all that the others know of a metric. */
const UNLIKE_SHARE = 0.5;
/** Of the other hosts' values, what lies between is what they know. */
const KNOWN = [0.01, 0.99] as const;

export interface HostReport {
  readonly host: string;
  readonly rows: number;
  /** Its own `info` threshold of the surprise trigger (or the score's) over the common one. */
  readonly thresholdRatio: number;
  /** The metric that leaves what the other hosts know the most, and how often. */
  readonly outside: { readonly metric: string; readonly share: number };
  readonly unlike: boolean;
}

/** How alike the hosts are that one model was trained on; nothing where it was one host. */
export function hostReports(model: Model, learned: LearnedRows): HostReport[] {
  const threshold = ({ surprise, score }: Model['thresholds']): number =>
    model.contamination === null ? surprise.info : score.info;
  return model.hosts.map(({ host, rows, thresholds }, i) => {
    const from = learned.hosts[i]?.from ?? 0;
    const to = learned.hosts[i + 1]?.from ?? learned.rows;
    const outside = learned.columns
      .map((column, metric) => ({
        metric: model.schema[metric]?.name ?? '',
        share: outsideShare(column, from, to),
      }))
      .reduce((worst, one) => (one.share > worst.share ? one : worst));
    return {
      host,
      rows,
      thresholdRatio: threshold(thresholds) / threshold(model.thresholds),
      outside,
      unlike: outside.share > UNLIKE_SHARE,
    };
  });
}

/** Share of the rows [from, to) beyond what all the others know. */
function outsideShare(column: Float64Array, from: number, to: number): number {
  const others = new Float64Array(column.length - (to - from));
  others.set(column.subarray(0, from));
  others.set(column.subarray(to), from);
  const sorted = sortedFinite(others);
  if (sorted.length === 0) return 0;
  const low = sorted[Math.floor(KNOWN[0] * (sorted.length - 1))] as number;
  const high = sorted[Math.ceil(KNOWN[1] * (sorted.length - 1))] as number;
  let outside = 0;
  let present = 0;
  for (const x of column.subarray(from, to)) {
    if (Number.isNaN(x)) continue;
    present++;
    if (x < low || x > high) outside++;
  }
  return present === 0 ? 0 : outside / present;
}
