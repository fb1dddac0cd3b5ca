import { scaleUtc } from 'd3-scale';
import { printable } from '../../agent/log.ts';

/** Axes and frames of plots as text: no DOM, no script, colours by class alone, so that they follow light and dark. */

/** What came from outside, for HTML text and attributes. */
export function escaped(text: string): string {
  return printable(text).replace(
    /[&<>"']/g,
    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[c] as string,
  );
}

/** A name in the room that there is: the end of a path says most. */
export function shortened(text: string, most: number): string {
  const shown = [...printable(text)];
  return shown.length <= most ? shown.join('') : `…${shown.slice(1 - most).join('')}`;
}

/** A coordinate: a tenth of a pixel is enough. */
export const px = (x: number): string => String(Math.round(x * 10) / 10);

/** A position on an axis: what d3's continuous scales have in common. */
export interface Scale {
  (x: number): number;
  domain(): readonly (number | Date)[];
  ticks(count?: number): readonly (number | Date)[];
}

export interface Margins {
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly left: number;
}
export const MARGINS: Margins = { top: 14, right: 16, bottom: 44, left: 60 };

/** @param inner escaped already */
export const svg = (width: number, height: number, described: string, inner: string): string =>
  `<svg viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="${escaped(described)}">${inner}</svg>`;

export interface Axis {
  readonly scale: (x: number) => number;
  readonly ticks: readonly number[];
  readonly format: (x: number) => string;
  /** With its unit. */
  readonly label: string;
}

/** Grid, ticks and labels around the area from (left, top) to (right, bottom). */
export function axes(
  x: Axis,
  y: Axis,
  area: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number },
): string {
  const { left, right, top, bottom } = area;
  const grid = y.ticks.map((t) => `<path d="M${left},${px(y.scale(t))}H${right}"/>`).join('');
  const yText = y.ticks
    .map((t) => `<text x="${left - 8}" y="${px(y.scale(t))}" dy=".32em">${escaped(y.format(t))}</text>`)
    .join('');
  const xText = x.ticks
    .map((t) => `<text x="${px(x.scale(t))}" y="${bottom + 18}">${escaped(x.format(t))}</text>`)
    .join('');
  const xTicks = x.ticks.map((t) => `<path d="M${px(x.scale(t))},${bottom}v5"/>`).join('');
  const middleX = (left + right) / 2;
  const middleY = (top + bottom) / 2;
  return (
    `<g class="grid">${grid}</g><g class="axis">${xTicks}<path d="M${left},${bottom}H${right}"/></g>` +
    `<g class="ticks y">${yText}</g><g class="ticks x">${xText}</g>` +
    `<text class="title x" x="${middleX}" y="${bottom + 38}">${escaped(x.label)}</text>` +
    `<text class="title y" transform="translate(${left - 46},${middleY}) rotate(-90)">${escaped(y.label)}</text>`
  );
}

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;

/** UTC, from milliseconds; a tick says no more than the distance of ticks asks for. */
export function timeAxis(from: number, to: number, range: readonly [number, number], count: number): Axis {
  const scale = scaleUtc([new Date(from), new Date(to)], range);
  const ticks = scale.ticks(count).map(Number);
  const step = ticks.length > 1 ? (ticks[1] as number) - (ticks[0] as number) : to - from;
  return {
    scale: (x) => scale(x),
    ticks,
    format: (x) => {
      const text = new Date(x).toISOString();
      if (step >= DAY_MS) return text.slice(0, 10);
      return step >= MINUTE_MS ? text.slice(5, 16).replace('T', ' ') : text.slice(11, 19);
    },
    label: 'time (UTC)',
  };
}

/** Entries of a legend, each a swatch of a class. */
export function legend(entries: readonly (readonly [string, string])[], left: number, top: number): string {
  let x = left;
  return entries
    .map(([mark, name]) => {
      const at = x;
      x += 34 + 6.6 * [...name].length;
      return `<path class="${mark}" d="M${at},${top}h16"/><text class="legend" x="${at + 21}" y="${top}" dy=".32em">${escaped(name)}</text>`;
    })
    .join('');
}

export const figure = (id: string, title: string, says: string, plot: string): string =>
  `<figure id="${id}"><figcaption><b>${escaped(title)}</b> ${escaped(says)}</figcaption>${plot}</figure>`;
