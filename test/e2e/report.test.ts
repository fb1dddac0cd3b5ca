import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel } from '../../models/artifact.ts';
import { smallModel, smallRecording } from '../support/evaluated.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { recordingCsv } from '../support/recording.ts';

const CHROMIUM = '/usr/bin/chromium';
const inCi = process.env['CI'] === 'true';
const PLOTS = ['roc', 'pr', 'time-0', 'histogram', 'contributions', 'robustness', 'drift'];
/** WCAG 2.2 asks for this between graphics and what is behind them. */
const LEAST_CONTRAST = 3;

/** In the page: of each plot the marks that have an area, and the least contrast of any with the background. */
const LOOK = `(() => {
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

interface Look {
  readonly plots: Record<string, { readonly marks: number; readonly contrast: number }>;
  readonly background: string;
  readonly overflow: number;
}

describe.skipIf(!hasExecutable || !(existsSync(CHROMIUM) || inCi))('the report in a browser', () => {
  let browser: Browser;
  let address = '';
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-report-'));

  beforeAll(async () => {
    const at = (name: string): string => join(directory, name);
    writeFileSync(at('a.edgewood'), encodeModel(smallModel('metric-forests')));
    writeFileSync(at('b.edgewood'), encodeModel(smallModel('isolation-forest')));
    writeFileSync(at('<b>test.csv'), recordingCsv(smallRecording(true)));
    const files = ['a.edgewood', '<b>test.csv', '--against', 'b.edgewood', '--html', 'report.html'];
    const it = runExecutable(['evaluate', ...files.map((x) => (x.startsWith('--') ? x : at(x)))]);
    expect([await it.ended, it.stderr()]).toEqual([0, expect.stringContaining('report written')]);
    address = pathToFileURL(at('report.html')).href;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test.each(['light', 'dark'] as const)(
    'in %s: every plot has marks that can be seen, nothing is fetched, nothing complains',
    async (colorScheme) => {
      const page = await browser.newPage({ colorScheme, viewport: { width: 1100, height: 900 } });
      const requests: string[] = [];
      const complaints: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      await page.goto(address);
      const look = (await page.evaluate(LOOK)) as Look;
      expect(Object.keys(look.plots)).toEqual(PLOTS);
      for (const [name, { marks, contrast }] of Object.entries(look.plots)) {
        expect([name, marks > 0, contrast >= LEAST_CONTRAST, contrast]).toEqual([name, true, true, contrast]);
      }
      expect(look.background).toBe(colorScheme === 'dark' ? 'rgb(17, 21, 26)' : 'rgb(255, 255, 255)');
      expect(look.overflow).toBeLessThanOrEqual(0);
      expect(await page.locator('#verdict').textContent()).toMatch(/(than|against) .*b\.edgewood/);
      expect([requests, complaints]).toEqual([[address], []]);
      await page.close();
    },
  );

  test('on a telephone nothing is wider than the screen; on paper it is light', async () => {
    const page = await browser.newPage({ colorScheme: 'dark', viewport: { width: 390, height: 800 } });
    await page.goto(address);
    expect(((await page.evaluate(LOOK)) as Look).overflow).toBeLessThanOrEqual(0);
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(((await page.evaluate(LOOK)) as Look).background).toBe('rgb(255, 255, 255)');
    await page.close();
  });
});
