import { scaleBand, scaleLinear } from 'd3-scale';
import { printable } from '../../agent/log.ts';
import type { MeanContributions } from '../../models/evaluation/portrait.ts';
import type { DisturbedFigures } from '../../models/evaluation/robustness.ts';
import { brief } from '../table.ts';
import { axes, escaped, figure, legend, px, svg } from './svg.ts';

const WIDTH = 940;
const NAMES = 230;
const FEATURES_DRAWN = 12;

interface Series {
  readonly mark: string;
  readonly name: string;
  readonly values: readonly number[];
}

/** Bars from a zero line, a group a name. */
function bars(
  names: readonly string[],
  series: readonly Series[],
  label: string,
  described: string,
  range: readonly [number, number],
  title = '',
): string {
  const { left, right } = { left: range[0] + NAMES, right: range[1] };
  const top = 28;
  const bottom = top + names.length * (8 + 11 * series.length) + 6;
  const all = series.flatMap(({ values }) => values);
  const x = scaleLinear([Math.min(0, ...all), Math.max(0, ...all, 1e-9)], [left, right]).nice(5);
  const band = scaleBand<number>(names.keys(), [top, bottom]).padding(0.25);
  const inner = scaleBand<number>(series.keys(), [0, band.bandwidth()]);
  const drawn = names.map((name, i) => {
    const y = band(i) ?? 0;
    const shown = [...printable(name)].length > 34 ? `${[...printable(name)].slice(0, 33).join('')}…` : name;
    const rects = series.map(({ mark, values }, s) => {
      const value = values[i] ?? 0;
      const [from, to] = value < 0 ? [x(value), x(0)] : [x(0), x(value)];
      return `<rect class="mark bar ${mark}" x="${px(from)}" y="${px(y + (inner(s) ?? 0))}" width="${px(Math.max(to - from, 0.5))}" height="${px(inner.bandwidth())}"><title>${escaped(`${name}: ${brief(value)}`)}</title></rect>`;
    });
    return `<text class="name" x="${left - 8}" y="${px(y + band.bandwidth() / 2)}" dy=".32em">${escaped(shown)}</text>${rects.join('')}`;
  });
  const frame = axes(
    { scale: x, ticks: x.ticks(5), format: brief, label },
    { scale: (v) => v, ticks: [], format: String, label: '' },
    { left, right, top, bottom },
  );
  return svg(
    WIDTH,
    bottom + 46,
    described,
    `${frame}<path class="zero" d="M${px(x(0))},${top}V${bottom}"/>${drawn.join('')}` +
      (series.length > 1
        ? legend(
            series.map(({ mark, name }) => [`swatch ${mark}`, name]),
            left,
            14,
          )
        : `<text class="heading" x="${left}" y="16">${escaped(title)}</text>`),
  );
}

const GROUPS = {
  alarms: { mark: 'other', name: 'rows with an alarm' },
  labelled: { mark: 'third', name: 'labelled rows' },
  other: { mark: 'this', name: 'all other rows' },
} as const;

export function contributions(
  groups: readonly MeanContributions[],
  names: readonly string[],
  detector: string,
): string {
  const weight = (i: number): number => Math.max(...groups.map(({ means }) => Math.abs(means[i] ?? 0)));
  const order = [...names.keys()].sort((a, b) => weight(b) - weight(a)).slice(0, FEATURES_DRAWN);
  const unit = detector === 'metric-forests' ? 'score' : 'negated mean path length';
  const left = names.length - order.length;
  return figure(
    'plot-contributions',
    'Mean contributions of the metrics',
    `Exact Shapley values in units of the ${unit}, against the mean of training; to the right: stranger.${left > 0 ? ` The ${left} that weigh least are left out.` : ''}`,
    bars(
      order.map((i) => names[i] as string),
      groups.map(({ group, means, rows }) => ({
        mark: GROUPS[group].mark,
        name: `${GROUPS[group].name} (${rows} explained)`,
        values: order.map((i) => means[i] as number),
      })),
      `mean contribution (${unit})`,
      'mean contributions of the metrics',
      [0, WIDTH - 16],
    ),
  );
}

export function robustness(figures: readonly DisturbedFigures[]): string {
  const names = figures.map(({ name }) => name);
  const labelled = figures.some(({ change }) => change.averagePrecision !== null);
  return figure(
    'plot-robustness',
    'Robustness',
    'What disturbances of the same rows change.',
    bars(
      names,
      [
        {
          mark: 'this',
          name: 'other verdict',
          values: figures.map(({ otherVerdicts }) => 100 * otherVerdicts),
        },
      ],
      'rows with another verdict, %',
      'share of rows with another verdict by disturbance',
      [0, WIDTH - 16],
      'Rows that are flagged only with, or only without the disturbance',
    ) +
      (labelled
        ? bars(
            names,
            [
              {
                mark: 'other',
                name: 'AUC-PR',
                values: figures.map(({ change }) => change.averagePrecision ?? 0),
              },
            ],
            'change of AUC-PR',
            'change of AUC-PR by disturbance',
            [0, WIDTH - 16],
            'AUC-PR with the disturbance, less without: to the left, worse',
          )
        : ''),
  );
}
