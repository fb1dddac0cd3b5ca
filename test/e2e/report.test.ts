import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel } from '../../models/artifact.ts';
import { CHROMIUM, hasChromium, LEAST_CONTRAST, LOOK, type Look } from '../support/browser.ts';
import { smallModel, smallRecording } from '../support/evaluated.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { recordingCsv } from '../support/recording.ts';

const PLOTS = ['roc', 'pr', 'time-0', 'histogram', 'contributions', 'robustness', 'drift'];
describe.skipIf(!hasExecutable || !hasChromium)('the report in a browser', () => {
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
