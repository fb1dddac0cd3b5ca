import { scaleLinear, scaleSqrt } from 'd3-scale';
import { area, curveStepAfter, curveStepBefore, line } from 'd3-shape';
import { printable } from '../../agent/log.ts';
import type { DriftDecision } from '../../core/drift/monitor.ts';
import { exceedanceOf, overByShiftAlone } from '../../core/drift/significance.ts';
import type { CellWeights } from '../../core/drift/sliding-ks.ts';
import { quantileSorted } from '../../core/math.ts';
import type { FeatureDrift } from '../../models/drift/comparison.ts';
import { brief } from '../table.ts';
import { type Axis, axes, figure, legend, px, svg, timeAxis } from './svg.ts';

const BINS = 48;
const HALF = 462;
const HEIGHT = 220;
const AREA = { left: 58, right: HALF - 12, top: 28, bottom: HEIGHT - 44 };
/** Values beyond these quantiles of both sides would push all else into a corner; the outer bins hold them. */
const OUTER = 0.005;

const nameOf = ({ name }: FeatureDrift): string => {
  const shown = [...printable(name)];
  return shown.length > 40 ? `${shown.slice(0, 39).join('')}…` : shown.join('');
};

/** The reference's and LIVE's distribution of a feature, over each other; nothing where either has no values. */
export function distributions(feature: FeatureDrift, index: number): string {
  const { source, sorted, unit, d } = feature;
  if (d === null) return '';
  const [low, high] = rangeOf(source.cells, sorted);
  const binOf = (x: number): number =>
    Math.max(0, Math.min(BINS - 1, Math.floor(((x - low) / (high - low)) * BINS)));
  const before = binned(source.cells, binOf, low, high);
  const after = new Array<number>(BINS).fill(0);
  for (const value of sorted) {
    const bin = binOf(value);
    after[bin] = (after[bin] as number) + 100 / sorted.length;
  }
  const x = scaleLinear([low, high], [AREA.left, AREA.right]);
  // A metric that rests at one value would hide all others on a straight scale.
  const most = Math.max(...before, ...after);
  const rests = most > 45;
  const y = (rests ? scaleSqrt : scaleLinear)([0, most], [AREA.bottom, AREA.top]).nice(4);
  const shape = (shares: readonly number[], mark: string): string => {
    const filled = area<[number, number]>(
      ([a]) => a,
      AREA.bottom,
      ([, b]) => b,
    )
      .curve(curveStepAfter)
      .digits(1);
    const points = [...shares, shares.at(-1) as number].map((share, i): [number, number] => [
      x(low + ((high - low) * i) / BINS),
      y(share),
    ]);
    return `<path class="mark area ${mark}" d="${filled(points) ?? ''}"/>`;
  };
  const measured = unit === 'value' || unit === 'score' ? '' : `, ${unit}`;
  return figure(
    `plot-distribution-${index}`,
    nameOf(feature),
    `D of all ${d.toFixed(3)}`,
    svg(
      HALF,
      HEIGHT,
      `distributions of ${feature.name}`,
      axes(
        { scale: x, ticks: x.ticks(5), format: brief, label: `${nameOf(feature)}${measured}` },
        { scale: y, ticks: y.ticks(4), format: brief, label: `share, %${rests ? ' (root)' : ''}` },
        AREA,
      ) +
        shape(before, 'this') +
        shape(after, 'other') +
        legend(
          [
            ['line this', 'reference'],
            ['line other', 'live'],
          ],
          AREA.left + 4,
          12,
        ),
    ),
  );
}

function rangeOf({ values, weights }: CellWeights, sorted: Float64Array): [number, number] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = weights[0] as number;
  let low = values[0] as number;
  let high = values.at(-1) as number;
  values.forEach((x, i) => {
    if (sum <= OUTER * total) low = x;
    sum += (weights[2 * i + 1] as number) + (weights[2 * i + 2] as number);
    if (sum <= (1 - OUTER) * total) high = x;
  });
  low = Math.min(low, quantileSorted(sorted, OUTER));
  high = Math.max(high, quantileSorted(sorted, 1 - OUTER));
  // One value alone is drawn in the middle.
  if (!(high > low)) return [low - Math.max(1, Math.abs(low)) / 2, low + Math.max(1, Math.abs(low)) / 2];
  const margin = (high - low) / BINS;
  return [low - margin, high + margin];
}

/** Percent of the weight in each bin; what lies between two knots is spread evenly between them. */
function binned(
  { values, weights }: CellWeights,
  binOf: (x: number) => number,
  low: number,
  high: number,
): number[] {
  const bins = new Array<number>(BINS).fill(0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const put = (bin: number, weight: number): void => {
    bins[bin] = (bins[bin] as number) + (100 * weight) / total;
  };
  weights.forEach((weight, cell) => {
    if (weight === 0) return;
    const right = Math.min(values.length - 1, cell >> 1);
    const from = values[cell % 2 === 1 ? right : Math.max(0, right - 1)] as number;
    const width = (values[right] as number) - from;
    const [first, last] = [binOf(from), binOf(values[right] as number)];
    if (first === last) put(first, weight);
    else
      for (let bin = first; bin <= last; bin++) {
        const left = bin === first ? from : low + ((high - low) * bin) / BINS;
        const end = bin === last ? from + width : low + ((high - low) * (bin + 1)) / BINS;
        put(bin, (weight * (end - left)) / width);
      }
  });
  return bins;
}

/** The farther of D and shift as a share of its threshold at each decision, of one feature. */
export function windows(
  feature: FeatureDrift,
  stream: number,
  index: number,
  decisions: readonly DriftDecision[],
): string {
  const points = decisions.flatMap(({ atMs, streams }) => {
    const judgement = streams[stream];
    if (judgement === undefined || judgement.unjudged !== null) return [];
    const byShift = overByShiftAlone(judgement);
    const words = `D ${judgement.d.toFixed(3)}${byShift === null ? '' : `, shift ${byShift.toFixed(1)} times its threshold`}`;
    return [{ atMs, ratio: exceedanceOf(judgement), over: judgement.over, words }];
  });
  if (points.length === 0) return '';
  const x = timesOf(decisions, AREA);
  const y = scaleLinear(
    [0, Math.max(1.25, ...points.map(({ ratio }) => ratio))],
    [AREA.bottom, AREA.top],
  ).nice(4);
  const path = line<(typeof points)[number]>(
    ({ atMs }) => x.scale(atMs),
    ({ ratio }) => y(ratio),
  ).digits(1);
  const small = points.length > 150;
  const dots = points
    .filter(({ over }) => over || !small)
    .map(
      ({ atMs, ratio, over, words }) =>
        `<circle class="mark dot${over ? ' over' : ''}" cx="${px(x.scale(atMs))}" cy="${px(y(ratio))}" r="${over ? (small ? 2.2 : 4) : 2.6}"><title>${new Date(atMs).toISOString().slice(0, 16)}: ${words}</title></circle>`,
    )
    .join('');
  const one = px(y(1));
  return figure(
    `plot-windows-${index}`,
    'over time',
    `${feature.windowsOver} of ${feature.windowsJudged} windows over`,
    svg(
      HALF,
      HEIGHT,
      `The farther of D and shift over its threshold, of ${feature.name}, over time`,
      axes(x, { scale: y, ticks: y.ticks(4), format: brief, label: 'D or shift / threshold' }, AREA) +
        `<path class="threshold" d="M${AREA.left},${one}H${AREA.right}"/>` +
        `<path class="mark trace" d="${path(points) ?? ''}"/>${dots}` +
        `<text class="legend" x="${AREA.right}" y="12" text-anchor="end">dashed: the threshold; large: over</text>`,
    ),
  );
}

/** The host's severity at each decision. */
export function severities(decisions: readonly DriftDecision[]): string {
  const judged = decisions.filter(({ unjudged }) => unjudged === null);
  if (judged.length === 0) return '';
  const frame = { left: 58, right: 924, top: 14, bottom: 150 };
  const x = timesOf(decisions, frame, 8);
  const y = scaleLinear([0, 10], [frame.bottom, frame.top]);
  const steps = area<DriftDecision>(
    ({ atMs }) => x.scale(atMs),
    frame.bottom,
    ({ severity }) => y(severity),
  )
    .curve(curveStepBefore)
    .digits(1);
  const dots = judged
    .map(
      ({ atMs, severity, phase }) =>
        `<circle class="mark dot${phase === 'steady' ? '' : ' over'}" cx="${px(x.scale(atMs))}" cy="${px(y(severity))}" r="${judged.length > 150 ? 1.6 : 3}"/>`,
    )
    .join('');
  return figure(
    'plot-severity',
    'Severity',
    'of the host at each decision, for the window that ends there. Orange: suspected or drifting.',
    svg(
      940,
      194,
      'severity over time',
      axes(x, { scale: y, ticks: [0, 2, 4, 6, 8, 10], format: String, label: 'severity' }, frame) +
        `<path class="mark area this" d="${steps(judged) ?? ''}"/>${dots}`,
    ),
  );
}

/** Dates are wide: near the edge they would be cut. */
const DATE_HALF = 34;

function timesOf(
  decisions: readonly DriftDecision[],
  { left, right }: { readonly left: number; readonly right: number },
  count = 4,
): Axis {
  const [first, last] = [decisions[0]?.atMs as number, decisions.at(-1)?.atMs as number];
  // One alone is drawn in the middle.
  const margin = first === last ? 3_600_000 : (last - first) / 40;
  const axis = timeAxis(first - margin, last + margin, [left, right], count);
  return { ...axis, ticks: axis.ticks.filter((t) => axis.scale(t) < right - DATE_HALF + 12) };
}
