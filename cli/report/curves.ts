import { scaleLinear } from 'd3-scale';
import { area, curveStepAfter, curveStepBefore, line } from 'd3-shape';
import { type Ranking, rank } from '../../core/evaluation/ranking.ts';
import { quantileSorted, sortedFinite } from '../../core/math.ts';
import type { Seen } from '../../models/training/assess.ts';
import { brief } from '../table.ts';
import { axes, figure, legend, MARGINS, px, shortened, svg } from './svg.ts';

const WIDTH = 460;
const HEIGHT = 396;
const AREA = { left: MARGINS.left, right: WIDTH - MARGINS.right, top: 46, bottom: HEIGHT - MARGINS.bottom };
/** Of the other model's name, on a line of its own in the legend. */
const NAME_CHARACTERS = 42;
const TENTHS = [0, 0.2, 0.4, 0.6, 0.8, 1];

/** Scores and labels of all files; unlabelled rows are 2. */
export function pooled(seen: readonly Seen[]): { scores: Float64Array; labels: Uint8Array } {
  const rows = seen.reduce((sum, { observed }) => sum + observed.scores.length, 0);
  const scores = new Float64Array(rows);
  const labels = new Uint8Array(rows).fill(2);
  let at = 0;
  for (const { observed, labels: own } of seen) {
    scores.set(observed.scores, at);
    if (own !== null) labels.set(own, at);
    at += observed.scores.length;
  }
  return { scores, labels };
}

/**
 * ROC and precision-recall curves; nothing where there are no labels of both kinds.
 * @param otherName what the other model is called
 */
export function curves(seen: readonly Seen[], other: readonly Seen[] | null, otherName: string): string {
  const called = shortened(otherName, NAME_CHARACTERS);
  const rankingOf = (one: readonly Seen[]): Ranking | null => {
    const { scores, labels } = pooled(one);
    return rank(scores, labels);
  };
  const mine = rankingOf(seen);
  if (mine === null) return '';
  const others = other === null ? null : rankingOf(other);
  const share = mine.positives / (mine.positives + mine.negatives);
  const roc = ({ curve, positives, negatives }: Ranking): [number, number][] => [
    [0, 0],
    ...curve.map((p): [number, number] => [p.falsePositives / negatives, p.truePositives / positives]),
  ];
  const pr = ({ curve, positives }: Ranking): [number, number][] =>
    curve.map((p) => [p.truePositives / positives, p.truePositives / (p.truePositives + p.falsePositives)]);
  return (
    figure(
      'plot-roc',
      'ROC curve',
      'Labelled rows found against others flagged, whatever the threshold. The thin line is chance.',
      plot(
        'false positive rate',
        'true positive rate',
        roc(mine),
        others && roc(others),
        [
          [0, 0],
          [1, 1],
        ],
        [`this, area ${brief(mine.rocAuc)}`, others && `${called}, ${brief(others.rocAuc)}`],
        false,
      ),
    ) +
    figure(
      'plot-pr',
      'Precision-recall curve',
      `How pure is what is flagged. The thin line is chance: ${brief(100 * share)} % of the rows are labelled.`,
      plot(
        'recall',
        'precision',
        pr(mine),
        others && pr(others),
        [
          [0, share],
          [1, share],
        ],
        [
          `this, AUC-PR ${brief(mine.averagePrecision)}`,
          others && `${called}, ${brief(others.averagePrecision)}`,
        ],
        true,
      ),
    )
  );
}

function plot(
  xLabel: string,
  yLabel: string,
  mine: readonly [number, number][],
  others: readonly [number, number][] | null,
  chance: readonly [number, number][],
  names: readonly [string, string | null],
  steps: boolean,
): string {
  const x = scaleLinear([0, 1], [AREA.left, AREA.right]);
  const y = scaleLinear([0, 1], [AREA.bottom, AREA.top]);
  const path = line<readonly [number, number]>(
    ([a]) => x(a),
    ([, b]) => y(b),
  ).digits(1);
  // Average precision is a sum of steps: a precision holds for the recall gained with it.
  if (steps) path.curve(curveStepBefore);
  const draw = (points: readonly [number, number][], mark: string): string =>
    `<path class="${mark}" d="${path(thinned(points, x, y)) ?? ''}"/>`;
  const straight = line<readonly [number, number]>(
    ([a]) => x(a),
    ([, b]) => y(b),
  );
  return svg(
    WIDTH,
    HEIGHT,
    `${yLabel} against ${xLabel}`,
    axes(
      { scale: x, ticks: TENTHS, format: String, label: xLabel },
      { scale: y, ticks: TENTHS, format: String, label: yLabel },
      AREA,
    ) +
      `<path class="chance" d="${straight(chance) ?? ''}"/>` +
      (others === null ? '' : draw(others, 'mark line other')) +
      draw(mine, 'mark line this') +
      legend([['line this', names[0]]], AREA.left + 4, 14) +
      (names[1] === null ? '' : legend([['line other', names[1]]], AREA.left + 4, 32)),
  );
}

/** Points closer than half a pixel to the one before say nothing. */
function thinned(
  points: readonly [number, number][],
  x: (a: number) => number,
  y: (b: number) => number,
): [number, number][] {
  const kept: [number, number][] = [];
  for (const [i, point] of points.entries()) {
    const last = kept.at(-1);
    const far =
      last === undefined ||
      Math.abs(x(point[0]) - x(last[0])) > 0.5 ||
      Math.abs(y(point[1]) - y(last[1])) > 0.5;
    if (far || i === points.length - 1) kept.push(point);
  }
  return kept;
}

const BINS = 60;

/** How scores are distributed, among labelled rows and others; the highest half percent is in the last bin. */
export function histogram(seen: readonly Seen[]): string {
  const { scores, labels } = pooled(seen);
  const sorted = sortedFinite(scores);
  const low = sorted[0] as number;
  const high = Math.max(quantileSorted(sorted, 0.995), low + 1e-9);
  const count = (wanted: (label: number) => boolean): { shares: number[]; rows: number } => {
    const counts = new Array<number>(BINS).fill(0);
    let rows = 0;
    scores.forEach((score, row) => {
      if (!Number.isFinite(score) || !wanted(labels[row] as number)) return;
      rows++;
      const bin = Math.max(0, Math.min(BINS - 1, Math.floor(((score - low) / (high - low)) * BINS)));
      counts[bin] = (counts[bin] as number) + 1;
    });
    return { shares: counts.map((n) => (rows === 0 ? 0 : (100 * n) / rows)), rows };
  };
  const anomalous = count((label) => label === 1);
  const others = count((label) => label !== 1);
  const most = Math.max(...anomalous.shares, ...others.shares);
  const width = 940;
  const height = 300;
  const frame = {
    left: MARGINS.left,
    right: width - MARGINS.right,
    top: 30,
    bottom: height - MARGINS.bottom,
  };
  const x = scaleLinear([low, high], [frame.left, frame.right]);
  const y = scaleLinear([0, most], [frame.bottom, frame.top]).nice(5);
  const shape = (shares: readonly number[], mark: string): string => {
    const points = [...shares, shares.at(-1) as number].map((share, i): [number, number] => [
      x(low + ((high - low) * i) / BINS),
      y(share),
    ]);
    const filled = area<[number, number]>(
      ([a]) => a,
      frame.bottom,
      ([, b]) => b,
    )
      .curve(curveStepAfter)
      .digits(1);
    return `<path class="mark area ${mark}" d="${filled(points) ?? ''}"/>`;
  };
  const entries: [string, string][] = [['line this', `not labelled (${others.rows} rows)`]];
  if (anomalous.rows > 0) entries.push(['line other', `labelled as anomalous (${anomalous.rows} rows)`]);
  return figure(
    'plot-histogram',
    'Scores',
    `Share of each group's rows by score. The last bin holds all above ${brief(high)}.`,
    svg(
      width,
      height,
      'histogram of scores',
      axes(
        { scale: x, ticks: x.ticks(8), format: brief, label: 'score (higher is stranger)' },
        { scale: y, ticks: y.ticks(5), format: brief, label: 'share of rows, %' },
        frame,
      ) +
        shape(others.shares, 'this') +
        (anomalous.rows > 0 ? shape(anomalous.shares, 'other') : '') +
        legend(entries, frame.left + 4, 14) +
        `<path class="axis" d="M${px(frame.left)},${px(frame.bottom)}H${px(frame.right)}"/>`,
    ),
  );
}
