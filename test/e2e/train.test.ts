import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { artifactSha256, decodeModel } from '../../models/artifact.ts';
import type { ModelRecord } from '../../models/record.ts';
import { EXECUTABLE, hasExecutable, runExecutable } from '../support/executable.ts';
import { SMALL_SCHEMA, smallSeries } from '../support/series.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const GRID = 'detector: metric-forests\ntrees: 2\nrowsPerTree: 32\nwindows: 5/20\n';

/** A minute each, with twenty labelled minutes of a busy processor now and then. */
function csvOf(rows: number, seed: number, labels = false): string {
  const columns = smallSeries(rows, seed);
  const lines = [`timestamp,${SMALL_SCHEMA.map(({ name }) => name).join(',')}${labels ? ',label' : ''}`];
  for (let row = 0; row < rows; row++) {
    const values = columns.map((column) => column[row] as number);
    const anomalous = labels && row % 350 >= 330;
    if (anomalous) values[0] = 95;
    lines.push([1_700_000_000 + 60 * row, ...values, ...(labels ? [Number(anomalous)] : [])].join(','));
  }
  return `${lines.join('\n')}\n`;
}

function workspace() {
  const folder = temporaryDirectory();
  const put = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const grid = put('grid.yaml', GRID);
  const registry = join(folder, 'registry');
  const train = (files: readonly string[], ...options: readonly string[]) =>
    runExecutable(['train', ...files, '--name', 'web', '--grid', grid, '--registry', registry, ...options]);
  return { folder, put, registry, train };
}

describe.skipIf(!hasExecutable)('train', () => {
  test('from a file to a registered model that scores', async () => {
    const { folder, put, registry, train } = workspace();
    const file = put('web-1.csv', csvOf(2100, 3, true));
    const out = join(folder, 'web.edgewood');
    const run = train([file], '--alias', 'staging', '--out', out, '--json', '--description', 'for tests');
    expect(await run.ended, run.stderr()).toBe(0);
    const record = JSON.parse(run.stdout()) as ModelRecord;
    expect(record).toMatchObject({
      name: 'web',
      version: 1,
      origin: 'trained',
      description: 'for tests',
      detector: 'metric-forests',
      features: ['cpu', 'memory', 'network', 'swap'],
      parameters: { trees: 2, rowsPerTree: 32, windows: { short: 5, long: 20 }, budgetPerDay: 1 },
      threshold: { by: 'budget' },
      comparedBy: 'labels',
      rows: { read: 2100, used: 2100, train: 1470, validation: 315, test: 315 },
      data: { files: [{ file, host: 'web-1', rows: 2100, violationRate: 0 }], intervalMs: 60_000 },
    });
    expect(record.metrics.test).toMatchObject({
      precision: expect.any(Number),
      recall: expect.any(Number),
      f1: expect.any(Number),
      rocAuc: expect.any(Number),
      averagePrecision: expect.any(Number),
      falseAlarmsPerDay: expect.any(Number),
    });
    expect(record.metrics.test?.rocAuc).toBeGreaterThan(0.9);
    expect(record.durationMs).toBeGreaterThan(0);
    const bytes = readFileSync(out);
    expect(artifactSha256(bytes)).toBe(record.sha256);
    expect(decodeModel(bytes).provenance).toMatchObject({ name: 'web', version: '1' });
    const score = runExecutable(['score', 'web@staging', file, '--registry', registry]);
    expect(await score.ended).toBe(0);
    const anomalies = score
      .stdout()
      .trim()
      .split('\n')
      .slice(1)
      .filter((line) => line.endsWith(',1'));
    expect(anomalies.length).toBeGreaterThan(2);
  });

  test('says for people what was compared and what came out', async () => {
    const { put, train } = workspace();
    const run = train([put('web-1.csv', csvOf(2100, 3))]);
    expect(await run.ended, run.stderr()).toBe(0);
    expect(run.stdout()).toMatch(/✓ registered {2}web@1: metric-forests, 2 x 32, windows 5\/20, 1 a day/);
    expect(run.stdout()).toMatch(/compared by injected faults/);
    expect(run.stdout()).toMatch(/→ metric-forests/);
    expect(run.stdout()).toMatch(/injected spikes found +\d+ of \d+/);
    expect(run.stderr()).toBe('');
  });

  test('gzip, standard input: the same bytes', async () => {
    const { put, train } = workspace();
    const text = csvOf(1000, 3);
    const sha = async (run: ReturnType<typeof train>): Promise<string> => {
      expect(await run.ended, run.stderr()).toBe(0);
      return (JSON.parse(run.stdout()) as ModelRecord).data.sha256;
    };
    const plain = await sha(train([put('web.csv', text)], '--json'));
    expect(await sha(train([put('web.csv.gz', gzipSync(text))], '--json'))).toBe(plain);
    const { registry, put: putThere } = workspace();
    const args = [
      'train',
      '-',
      '--name',
      'web',
      '--json',
      '--registry',
      registry,
      '--grid',
      putThere('g', GRID),
    ];
    const child = spawn(EXECUTABLE, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
    });
    child.stdin.end(text);
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    const record = JSON.parse(printed) as ModelRecord;
    expect(record.data).toMatchObject({ sha256: plain, files: [{ file: 'standard input', host: 'stdin' }] });
  });

  test('same data, same seed, a registry of its own: the same bytes; the second version is another', async () => {
    const { put, train } = workspace();
    const other = workspace();
    const text = csvOf(1000, 3);
    const sha = async (run: ReturnType<typeof train>): Promise<string> => {
      expect(await run.ended, run.stderr()).toBe(0);
      return (JSON.parse(run.stdout()) as ModelRecord).sha256;
    };
    const first = await sha(train([put('a.csv', text)], '--json'));
    expect(await sha(other.train([other.put('b.csv', text)], '--json'))).toBe(first);
    expect(await sha(train([put('a.csv', text)], '--json'))).not.toBe(first);
  });

  test("an agent's own database: what it kept, while it may be running", async () => {
    const { folder, put, train } = workspace();
    const recording = put('replayed.csv', csvOf(1000, 3));
    const state = join(folder, 'state');
    const agent = runExecutable([
      'agent',
      '--source',
      `replay:${recording}`,
      '--pace',
      'max',
      '--state-dir',
      state,
    ]);
    expect(await agent.ended).toBe(0);
    mkdirSync(join(folder, 'copied'));
    for (const name of readdirSync(state).filter((name) => name.startsWith('edgewood.db'))) {
      copyFileSync(join(state, name), join(folder, 'copied', name.replace('edgewood', 'web-7')));
    }
    const run = train([join(folder, 'copied', 'web-7.db')], '--json');
    expect(await run.ended, run.stderr()).toBe(0);
    const record = JSON.parse(run.stdout()) as ModelRecord;
    expect(record.features).toEqual(['cpu', 'memory', 'network', 'swap']);
    expect(record.data).toMatchObject({ files: [{ host: 'web-7', rows: 1000 }], intervalMs: 60_000 });
  });

  test('several hosts, one model', async () => {
    const { put, train } = workspace();
    const files = [put('web-1.csv', csvOf(1000, 3)), put('web-2.csv', csvOf(1200, 4))];
    const run = train(files, '--json');
    expect(await run.ended, run.stderr()).toBe(0);
    const record = JSON.parse(run.stdout()) as ModelRecord;
    expect(record.hosts.map(({ host }) => host)).toEqual(['web-1', 'web-2']);
    expect(record.rows?.read).toBe(2200);
  });

  test('data that must not be learned from: exit code 1, the reason, and nothing registered', async () => {
    const { put, registry, train } = workspace();
    const text = csvOf(1000, 3).replace(/^(\d+),[\d.]+/gm, (row, time: string) =>
      Number(time) % 600 === 200 ? `${time},-5` : row,
    );
    const file = put('web-1.csv', text);
    const run = train([file], '--json');
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toMatch(
      /web-1\.csv: not fit to learn from: .* of the rows \(\d+ of 1000\) break a rule/,
    );
    expect(run.stderr()).toMatch(/First: line \d+, cpu: -5 is below 0/);
    expect(JSON.parse(run.stdout())).toMatchObject({
      registered: null,
      refused: [{ file, verdict: 'fail' }],
    });
    const list = runExecutable(['models', 'list', '--json', '--registry', registry]);
    expect(await list.ended).toBe(0);
    expect(list.stdout()).not.toContain('web');
  });

  test('nothing that is read, and nothing of another kind, is written over', async () => {
    const { folder, put, train } = workspace();
    const file = put('web-1.csv', csvOf(400, 3));
    const other = put('notes.txt', 'mine\n');
    for (const [out, message] of [
      [file, /web-1\.csv is .*web-1\.csv, which is read: it would be lost/],
      [other, /notes\.txt is there, and is no model: it is not written over/],
      [folder, /is a directory: name a file in it/],
    ] as const) {
      const run = train([file], '--out', out);
      expect(await run.ended).toBe(2);
      expect(run.stderr()).toMatch(message);
    }
    expect(readFileSync(file, 'utf8')).toBe(csvOf(400, 3));
  });

  test('columns that nobody named are left out, and that is said; what was given an alias, too', async () => {
    const { put, train } = workspace();
    const text = csvOf(1000, 3)
      .split('\n')
      .map((line, i) => (line === '' ? line : `${line},${i === 0 ? 'rack_id' : i}`))
      .join('\n');
    const run = train([put('web-1.csv', text)], '--alias', 'staging');
    expect(await run.ended, run.stderr()).toBe(0);
    expect(run.stdout()).toContain('rack_id is no metric of the schema and was left out');
    expect(run.stdout()).toContain('web@staging: nowhere -> version 1');
    expect(run.stdout()).toMatch(/only 2\.5 h to compare or to test by/);
  });

  test('other columns: with --features they need no schema', async () => {
    const { put, train } = workspace();
    const file = put(
      'db-1.csv',
      csvOf(1000, 3).replace('cpu,memory,network,swap', 'latency,queue,rate,locks'),
    );
    const refused = train([file]);
    expect(await refused.ended).toBe(1);
    expect(refused.stderr()).toMatch(
      /the column cpu is missing.*Name the columns to learn from with --features/,
    );
    const run = train([file], '--features', 'latency,queue', '--json');
    expect(await run.ended, run.stderr()).toBe(0);
    expect((JSON.parse(run.stdout()) as ModelRecord).features).toEqual(['latency', 'queue']);
  });

  test.each([
    [['--detector', 'lof'], /--detector: expected auto, metric-forests, isolation-forest, found lof/],
    [['--budget', '1'], /--budget: expected a rate, e\.g\. 1\/day/],
    [['--contamination', '0.9'], /--contamination: expected a share above 0, up to 0\.5/],
    [['--split', '70/30'], /--split: expected TRAIN\/VALIDATION\/TEST/],
    [['--split', '70/20/20'], /--split: 70\/20\/20 adds up to 110, expected 100/],
    [['--budget', '2/day', '--contamination', '0.01'], /--budget and --contamination: either decides/],
    [['--detector', 'isolation-forest'], /--detector: .*grid\.yaml says it, too; give one of them/],
    [['--features', 'timestamp'], /timestamp is no metric/],
    [['--out', '/nowhere/x.edgewood'], /x\.edgewood: can't be written: its folder does not exist/],
    [['--seed', '1.5'], /--seed: expected a whole number/],
    [['--features', 'cpu,,memory'], /--features: expected different names/],
    [['--features', 'disk'], /no column "disk"; there are cpu/],
    [['--max-violations', '200'], /--max-violations: expected percent/],
    [['--alias', 'Latest!'], /alias/],
    [['--schema', '/nowhere.yaml'], /nowhere\.yaml/],
  ])('%j is bad usage, and nothing is registered', async (options, message) => {
    const { put, registry, train } = workspace();
    const objects = join(registry, 'objects');
    const run = train([put('web.csv', csvOf(400, 3))], ...options);
    expect(await run.ended).toBe(2);
    expect(run.stderr()).toMatch(message);
    expect(run.stderr()).not.toMatch(/at .*\.(c?js|ts):\d/);
    expect(existsSync(objects) ? readdirSync(objects) : []).toEqual([]);
  });
});
