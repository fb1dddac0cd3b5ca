import { existsSync } from 'node:fs';

/** Reports are looked at as a reader's browser shows them. */
export const CHROMIUM = '/usr/bin/chromium';
/** In CI a missing one is a failure, not a skip. */
export const hasChromium = existsSync(CHROMIUM) || process.env['CI'] === 'true';
/** WCAG 2.2 asks for this between graphics and what is behind them. */
export const LEAST_CONTRAST = 3;

/** In the page: of each plot the marks that have an area, and the least contrast of any with the background. */
export const LOOK = `(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const luminance = (text) => rgb(text)
    .map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const background = getComputedStyle(document.body).backgroundColor;
  const painted = (e) => {
    const { fill, stroke } = getComputedStyle(e);
    return e.tagName === 'path' && stroke !== 'none' ? stroke : fill;
  };
  const look = (marks) => {
    const seen = [...marks].filter((e) => {
      const { width, height } = e.getBoundingClientRect();
      return width + height > 0 && e.tagName !== 'g';
    });
    return { marks: seen.length, contrast: Math.min(...seen.map((e) => contrast(painted(e), background))) };
  };
  return {
    plots: Object.fromEntries([...document.querySelectorAll('figure')].map((f) => [f.id.slice(5), look(f.querySelectorAll('.mark'))])),
    background,
    overflow: document.documentElement.scrollWidth - innerWidth,
  };
})()`;

export interface Look {
  readonly plots: Record<string, { readonly marks: number; readonly contrast: number }>;
  readonly background: string;
  readonly overflow: number;
}
