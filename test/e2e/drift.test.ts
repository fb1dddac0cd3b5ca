import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel } from '../../models/artifact.ts';
import { CHROMIUM, hasChromium, LEAST_CONTRAST, LOOK, type Look } from '../support/browser.ts';
import { hostDays } from '../support/drifting.ts';
import { smallModel } from '../support/evaluated.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { recordingCsv } from '../support/recording.ts';

interface Document {
  readonly verdict: string;
  readonly severity: number | null;
  readonly windowMs: number | null;
  readonly undecided: string | null;
  readonly reference: { readonly kind: string; readonly sha256: string | null };
  readonly features: readonly Readonly<Record<string, unknown>>[];
  readonly windows: readonly { readonly features: readonly unknown[]; readonly unjudged: string | null }[];
}

describe.skipIf(!hasExecutable)('drift', () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-drift-'));
  const at = (name: string): string => join(directory, name);
  const drift = async (
    args: readonly string[],
  ): Promise<[code: number | string, out: string, err: string]> => {
    const it = runExecutable(['drift', ...args]);
    const code = await it.ended;
    return [code, it.stdout(), it.stderr()];
  };

  beforeAll(() => {
    writeFileSync(at('before.csv.gz'), gzipSync(recordingCsv(hostDays(0, 14))));
    writeFileSync(at('calm.csv'), recordingCsv(hostDays(14, 3)));
    writeFileSync(at('moved.csv'), recordingCsv(hostDays(14, 3, 12)));
    writeFileSync(at('hours.csv'), recordingCsv(hostDays(0, 4 / 24)));
    writeFileSync(at('model.edgewood'), encodeModel(smallModel('metric-forests')));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('what moved is told, as JSON and as a table; what did not is calm', async () => {
    const [code, out, err] = await drift([at('before.csv.gz'), at('moved.csv'), '--json', '--fail-on', '5']);
    expect([code, err]).toEqual([1, '']);
    const document = JSON.parse(out) as Document;
    expect(document).toMatchObject({
      schemaVersion: 1,
      verdict: 'drifting',
      windowMs: 86_400_000,
      undecided: null,
      failOn: 5,
      provisional: false,
      reference: { kind: 'recording', sha256: null, rows: 20_160, intervalMs: 60_000 },
      live: { host: 'moved', rows: 4320 },
    });
    expect(document.severity).toBeGreaterThanOrEqual(5);
    expect(document.features.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['cpu', 'drifting'],
      ['memory', 'steady'],
      ['network', 'steady'],
      ['swap', 'steady'],
    ]);
    for (const key of ['d', 'naiveP', 'shift', 'effect', 'psi', 'severity', 'windowsOver']) {
      expect([key, typeof document.features[0]?.[key]]).toEqual([key, 'number']);
    }
    const judged = document.windows.filter(({ unjudged }) => unjudged === null);
    expect(judged.map(({ features }) => features.length)).toEqual(judged.map(() => 4));

    const [calmCode, calm] = await drift([at('before.csv.gz'), at('calm.csv'), '--fail-on', '5']);
    expect(calmCode).toBe(0);
    expect(calm).toMatch(/^steady {2}severity [12] of 10.*; 0 of 5 windows of 24 h over\n/);
    expect(calm).toMatch(/^ {2}memory +steady +\d +0 of 5 /m);
    // Without --fail-on drift is a finding, not a failure.
    expect((await drift([at('before.csv.gz'), at('moved.csv')]))[0]).toBe(0);
  });

  test('a model is a reference, too, with its score; windows of its own length', async () => {
    const [code, out] = await drift([at('model.edgewood'), at('moved.csv'), '--json']);
    expect(code).toBe(0);
    const document = JSON.parse(out) as Document;
    expect(document.reference).toMatchObject({ kind: 'model' });
    expect(document.reference.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(document.features.map(({ name }) => name)).toEqual(['cpu', 'memory', 'network', 'swap', 'score']);
    expect(document.features[0]).toMatchObject({ verdict: 'drifting' });
  });

  test('a reference of four hours: figures, no decision; and no severity to fail on', async () => {
    const [code, out] = await drift([at('hours.csv'), at('moved.csv'), '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ verdict: 'undecided', severity: null, windows: [] });
    expect((JSON.parse(out) as Document).features[0]).toMatchObject({ verdict: 'undecided', severity: null });
    expect((JSON.parse(out) as Document).features[0]?.['d']).toBeGreaterThan(0.3);
    const [failing, page, err] = await drift([at('hours.csv'), at('moved.csv'), '--fail-on', '3']);
    expect(failing).toBe(2);
    expect(page).toMatch(/^undecided {2}no calibrated decision: the reference is 4 h long/);
    expect(err).toMatch(/--fail-on 3: there is no severity, as the reference is 4 h long/);
  });

  test.each([
    [
      '--fail-on 11',
      ['before.csv.gz', 'calm.csv', '--fail-on', '11'],
      /--fail-on: expected a severity, a whole number from 1 to 10/,
    ],
    ['--fail-on x', ['before.csv.gz', 'calm.csv', '--fail-on', 'x'], /fail-on/],
    ['--fail-on 2.5', ['before.csv.gz', 'calm.csv', '--fail-on', '2.5'], /--fail-on: expected a severity/],
    ['a file that is not there', ['nothing.csv', 'calm.csv'], /nothing\.csv can't be opened \(ENOENT\)/],
    [
      'a model as LIVE',
      ['before.csv.gz', 'model.edgewood'],
      /LIVE is a recording, and .*model\.edgewood names a model/,
    ],
    ['standard input twice', ['-', '-'], /both standard input/],
    [
      'no metric in common',
      ['before.csv.gz', 'other.csv'],
      /other has none of the reference's metrics \(cpu, memory/,
    ],
    ['no timestamp', ['before.csv.gz', 'untimed.csv'], /untimed\.csv, line 1: no column "timestamp"/],
    ['what is no number', ['words.csv', 'calm.csv'], /words\.csv is not fit to be compared: /],
    ['a damaged model', ['cut.edgewood', 'calm.csv'], /cut\.edgewood is no model that can be used/],
    [
      'a page that can not be written',
      ['before.csv.gz', 'calm.csv', '--html', 'no/where.html'],
      /where\.html: can't be written: its folder does not exist/,
    ],
  ])('%s: exit code 2, and what to mend', async (_, args, says) => {
    writeFileSync(at('other.csv'), `timestamp,x\n${[1, 2, 3].map((t) => `${1.7e9 + t},${t}`).join('\n')}\n`);
    writeFileSync(at('untimed.csv'), 'cpu\n1\n');
    writeFileSync(
      at('words.csv'),
      `timestamp,cpu\n${[1, 2, 3].map((t) => `${1.7e9 + t},busy`).join('\n')}\n`,
    );
    writeFileSync(at('cut.edgewood'), encodeModel(smallModel('metric-forests')).subarray(0, 5000));
    const [code, out, err] = await drift(args.map((x) => (/[a-z]\.|\//.test(x) ? at(x) : x)));
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(says);
    expect(err).not.toMatch(/\n {4}at /);
  });

  describe.skipIf(!hasChromium)('its page in a browser', () => {
    let browser: Browser;
    let address = '';

    beforeAll(async () => {
      writeFileSync(at('<b>live.csv'), recordingCsv(hostDays(14, 3, 12)));
      const [code, , err] = await drift([at('before.csv.gz'), at('<b>live.csv'), '--html', at('drift.html')]);
      expect([code, err]).toEqual([0, expect.stringContaining('report written')]);
      address = pathToFileURL(at('drift.html')).href;
      browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
    }, 60_000);
    afterAll(() => browser?.close());

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
        const { plots, overflow } = (await page.evaluate(LOOK)) as Look;
        const each = [0, 1, 2, 3].flatMap((i) => [`distribution-${i}`, `windows-${i}`]);
        expect(Object.keys(plots)).toEqual(['severity', ...each]);
        for (const [name, { marks, contrast }] of Object.entries(plots)) {
          expect([name, marks > 0, contrast >= LEAST_CONTRAST, contrast]).toEqual([
            name,
            true,
            true,
            contrast,
          ]);
        }
        expect(overflow).toBeLessThanOrEqual(0);
        expect(await page.locator('#verdict').textContent()).toMatch(/^Drifting: severity \d+ of 10/);
        // The worst first, and both distributions over each other.
        expect(await page.locator('#plot-distribution-0 figcaption').textContent()).toMatch(/^cpu /);
        expect(await page.locator('#plot-distribution-0 path.area').count()).toBe(2);
        expect(await page.locator('#plot-windows-0 .over').count()).toBe(5);
        expect([requests, complaints]).toEqual([[address], []]);
        await page.close();
      },
    );

    test('on a telephone nothing is wider than the screen', async () => {
      const page = await browser.newPage({ viewport: { width: 390, height: 800 } });
      await page.goto(address);
      expect(((await page.evaluate(LOOK)) as Look).overflow).toBeLessThanOrEqual(0);
      await page.close();
    });
  });
});
