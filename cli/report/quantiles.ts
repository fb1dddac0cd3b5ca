import { scaleLinear } from 'd3-scale';
import { printable } from '../../agent/log.ts';
import type { DriftFigures } from '../../models/evaluation/portrait.ts';
import { brief } from '../table.ts';
import { axes, escaped, figure, px, svg } from './svg.ts';

const SIZE = 224;
const PLOTS_MAX = 12;
const AREA = { left: 56, right: SIZE - 10, top: 24, bottom: SIZE - 42 };

/** Quantiles of the test rows against those of training: on the diagonal, nothing has moved. */
export function drift(all: readonly DriftFigures[]): string {
  const known = all
    .filter(({ distance }) => distance !== null)
    .sort((a, b) => (b.distance as number) - (a.distance as number));
  const left = known.length - PLOTS_MAX;
  return figure(
    'plot-drift',
    'Drift of the test rows from the training rows',
    `The quantiles 1/32 to 31/32 of each, the largest distance first: on the line, nothing has moved. D is the Kolmogorov-Smirnov distance at what the model keeps of its training: the D of all rows is larger by at most 1/254 (1/32 under a model from before drift was measured).${left > 0 ? ` ${left} with less are left out.` : ''}`,
    `<div class="tiles">${known.slice(0, PLOTS_MAX).map(tile).join('')}</div>`,
  );
}

function tile({ name, unit, distance, trained, tested }: DriftFigures): string {
  if (trained === null || tested === null) return '';
  // The extremes are single rows: they would push all else into a corner.
  const inner = (quantiles: readonly number[]): readonly number[] => quantiles.slice(1, -1);
  const values = [...inner(trained), ...inner(tested)];
  const low = Math.min(...values);
  const high = Math.max(...values, low + 1e-9);
  const x = scaleLinear([low, high], [AREA.left, AREA.right]);
  const y = scaleLinear([low, high], [AREA.bottom, AREA.top]);
  const others = inner(tested);
  const dots = inner(trained)
    .map((q, i) => `<circle class="mark dot" cx="${px(x(q))}" cy="${px(y(others[i] as number))}" r="2.6"/>`)
    .join('');
  const shown = [...printable(name)].length > 18 ? `${[...printable(name)].slice(0, 17).join('')}…` : name;
  const ticks = x.ticks(3);
  const measured = unit === 'value' || unit === 'score' ? '' : `, ${unit}`;
  return svg(
    SIZE,
    SIZE,
    `quantiles of ${name}`,
    axes(
      { scale: x, ticks, format: brief, label: `trained on${measured}` },
      { scale: y, ticks, format: brief, label: 'tested on' },
      AREA,
    ) +
      `<path class="chance" d="M${AREA.left},${AREA.bottom}L${AREA.right},${AREA.top}"/>${dots}` +
      `<text class="heading" x="10" y="14">${escaped(shown)}: D = ${distance === null ? '–' : distance.toFixed(2)}</text>`,
  );
}
