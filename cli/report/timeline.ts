import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import { notificationsOf } from '../../core/evaluation/events.ts';
import { notificationRule } from '../../core/evaluation/observe.ts';
import { segmentsOf } from '../../core/evaluation/ranking.ts';
import { quantileSorted, sortedFinite } from '../../core/math.ts';
import type { Seen } from '../../models/training/assess.ts';
import { brief } from '../table.ts';
import { type Axis, axes, figure, MARGINS, px, svg, timeAxis } from './svg.ts';

const WIDTH = 940;
const PANEL = 150;
const GAP = 34;
const TOP = 32;
/** More files than this are not drawn: the page has to stay readable. */
export const TIMELINES_MAX = 8;
/** Triggers are far over their thresholds at times, and 0 at others: what is drawn at most. */
const LEVEL_RANGE = [0.01, 1000] as const;
const LEVEL_TICKS = [0.01, 0.1, 1, 10, 100, 1000] as const;

/** From the decade below the data to just above it, the threshold of 1 within. */
function levelRange(levels: Float64Array): readonly [number, number] {
  const [lowest, highest] = LEVEL_RANGE;
  const sorted = sortedFinite(levels);
  const top = 1.25 * (sorted.at(-1) ?? 0);
  const bottom = sorted[0] ?? 0;
  const least = LEVEL_TICKS.findLast((tick) => tick <= bottom && tick <= 0.1) ?? lowest;
  return [least, Math.min(highest, Math.max(2, top))];
}

/** Score and alarm level over time, labelled segments shaded, alarms marked. */
export function timelines(seen: readonly Seen[]): string {
  const drawn = seen.slice(0, TIMELINES_MAX).map(timeline).join('');
  return seen.length > TIMELINES_MAX
    ? `${drawn}<p class="note">${seen.length - TIMELINES_MAX} further files are not drawn.</p>`
    : drawn;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function timeline({ part, observed, labels }: Seen, index: number): string {
  const { timesMs, intervalMs, host } = part.recording;
  const times = timesMs.subarray(part.from);
  const left = MARGINS.left;
  const right = WIDTH - MARGINS.right;
  const x = timeAxis(times[0] as number, times.at(-1) as number, [left, right], 8);
  const scoreArea = { left, right, top: TOP, bottom: TOP + PANEL };
  const levelArea = { left, right, top: TOP + PANEL + GAP, bottom: TOP + 2 * PANEL + GAP };
  const segments = labels === null ? [] : segmentsOf(labels);
  const rule = notificationRule(intervalMs);
  const alarms = notificationsOf(observed.flags, rule);
  const shades = segments
    .map(([first, last]) => {
      const from = x.scale(times[first] as number);
      const width = Math.max(1.5, x.scale((times[last] as number) + intervalMs) - from);
      return `<rect x="${px(from)}" y="${TOP}" width="${px(width)}" height="${levelArea.bottom - TOP}"/>`;
    })
    .join('');
  const marks = alarms
    .map(({ first, last }) => {
      const right = segments.some(([from, to]) => first <= to && last >= from);
      const at = px(x.scale(times[first] as number));
      const known = labels === null ? 'unknown' : right ? 'true' : 'false';
      return `<path class="alarm ${known}" d="M${at},${TOP - 3}l-4.5,-9h9z"/>`;
    })
    .join('');
  const sorted = sortedFinite(observed.scores);
  const y = scaleLinear(
    [sorted[0] ?? 0, Math.max(sorted.at(-1) ?? 1, (sorted[0] ?? 0) + 1e-9)],
    [scoreArea.bottom, scoreArea.top],
  ).nice(4);
  const [least, most] = levelRange(observed.levels);
  const level = scaleLog([least, most], [levelArea.bottom, levelArea.top]).clamp(true);
  const yScore: Axis = { scale: y, ticks: y.ticks(4), format: brief, label: 'score' };
  const yLevel: Axis = {
    scale: level,
    ticks: LEVEL_TICKS.filter((tick) => tick >= least && tick <= most),
    format: brief,
    label: 'level / threshold',
  };
  const bare: Axis = { ...x, format: () => '', label: '' };
  const inner =
    `<g class="labelled">${shades}</g>` +
    axes(bare, yScore, scoreArea) +
    axes(x, yLevel, levelArea) +
    trace(times, observed.scores, x, (v) => y(v), left, right, intervalMs) +
    trace(times, observed.levels, x, (v) => level(Math.max(v, least)), left, right, intervalMs) +
    `<path class="threshold" d="M${left},${px(level(1))}H${right}"/>` +
    `<text class="legend" x="${right}" y="${px(level(1) - 6)}" text-anchor="end">threshold</text>` +
    `<g class="mark">${marks}</g>`;
  const trueOnes = labels === null ? '' : ' (filled: within a labelled segment; hollow: false)';
  return figure(
    `plot-time-${index}`,
    `${host}: score over time`,
    `Above: the score (median ${brief(sorted.length === 0 ? null : quantileSorted(sorted, 0.5))}). Below: the strongest trigger or rule over its threshold, which is 1. Triangles: ${counted(alarms.length, 'alarm')}${trueOnes}; each raises the guard on the thresholds for a while, so that not all above 1 is an alarm.${segments.length > 0 ? ` Shaded: ${counted(segments.length, 'labelled segment')}.` : ''}`,
    svg(WIDTH, levelArea.bottom + MARGINS.bottom, `score of ${host} over time`, inner),
  );
}

/** Lowest and highest value of each pixel; where nothing was recorded, the line is broken. */
function trace(
  times: ArrayLike<number>,
  values: Float64Array,
  { scale }: Axis,
  y: (value: number) => number,
  left: number,
  right: number,
  intervalMs: number,
): string {
  const columns = Math.ceil(right - left) + 1;
  const lows = new Float64Array(columns).fill(Number.POSITIVE_INFINITY);
  const highs = new Float64Array(columns).fill(Number.NEGATIVE_INFINITY);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as number;
    const column = Math.round(scale(times[row] as number) - left);
    if (!Number.isFinite(value) || column < 0 || column >= columns) continue;
    if (value < (lows[column] as number)) lows[column] = value;
    if (value > (highs[column] as number)) highs[column] = value;
  }
  const perRow = scale((times[0] as number) + intervalMs) - left;
  const points: ([number, number] | null)[] = [];
  let empty = 0;
  for (let column = 0; column < columns; column++) {
    const low = lows[column] as number;
    if (low === Number.POSITIVE_INFINITY) {
      if (++empty > Math.max(1, 5 * perRow) && points.at(-1) !== null) points.push(null);
      continue;
    }
    empty = 0;
    const high = highs[column] as number;
    points.push([left + column, y(low)]);
    if (high !== low) points.push([left + column, y(high)]);
  }
  const path = line<[number, number] | null>(
    (point) => point?.[0] ?? 0,
    (point) => point?.[1] ?? 0,
  )
    .defined((point) => point !== null)
    .digits(1);
  return `<path class="mark trace" d="${path(points) ?? ''}"/>`;
}
