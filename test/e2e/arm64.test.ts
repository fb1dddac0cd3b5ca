import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AlertData } from '../../core/protocol/events.ts';
import type { ModelRecord } from '../../models/record.ts';
import { EXECUTABLE, hasExecutable } from '../support/executable.ts';
import { ARM64, hasArm64 } from '../support/processors.ts';
import { writeRecording } from '../support/recording.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BUILD_MS = 180_000;
const EMULATED_MS = 180_000;

interface Outcome {
  readonly models: readonly string[];
  readonly samples: string;
  readonly alerts: readonly unknown[];
}

/** What is the same wherever the same samples are seen: model files, scores, alerts but for their random ids. */
function replay(
  command: readonly [string, ...string[]],
  recording: string,
  env: Readonly<Record<string, string>>,
): Outcome {
  const stateDir = temporaryDirectory();
  const [program, ...words] = command;
  const options = [
    '--pace',
    'max',
    '--warmup',
    '1900s',
    '--refit',
    'off',
    '--stdout',
    '--state-dir',
    stateDir,
  ];
  const out = execFileSync(program, [...words, 'agent', '--source', `replay:${recording}`, ...options], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], EDGEWOOD_CONFIG: '', ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const events = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; data: AlertData });
  const models = readdirSync(stateDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /model/.test(`${entry.parentPath}/${entry.name}`))
    .map((entry) =>
      createHash('sha256')
        .update(readFileSync(join(entry.parentPath, entry.name)))
        .digest('hex'),
    );
  const database = new Database(join(stateDir, 'edgewood.db'), { readonly: true });
  const rows = database.prepare('SELECT * FROM samples ORDER BY 1').raw().all() as unknown[][];
  database.close();
  const digest = createHash('sha256');
  for (const row of rows)
    digest.update(
      row.map((value) => (value instanceof Buffer ? value.toString('hex') : String(value))).join(),
    );
  const alerts = events
    .filter(({ type }) => type === 'edgewood.incident')
    .map(({ data }) => ({ ...data, incidentId: '', sequence: null, publishedAt: null, host: null }));
  return { models: models.sort(), samples: `${rows.length} ${digest.digest('hex')}`, alerts };
}

describe.skipIf(!hasExecutable || !hasArm64)('the arm64 executable, under qemu', () => {
  let folder = '';
  let executable = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'edgewood-arm64-'));
    executable = join(folder, 'edgewood-linux-arm64');
    execFileSync(
      process.execPath,
      ['build/executable.ts', '--no-pack', '--target', 'linux-arm64', '--out', executable],
      { cwd: ROOT, stdio: 'ignore' },
    );
  }, BUILD_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('names its target', () => {
    const out = execFileSync(ARM64.program, [executable, 'version', '--json'], {
      encoding: 'utf8',
      env: ARM64.env,
    });
    expect(JSON.parse(out)).toMatchObject({ target: 'linux-arm64' });
  });

  test('gives the same model bytes, scores and alerts as on x64', { timeout: EMULATED_MS }, () => {
    const recording = writeRecording(join(temporaryDirectory(), 'recording.csv'));
    const x64 = replay([EXECUTABLE], recording, {});
    expect(x64.models.length).toBeGreaterThan(0);
    expect(x64.alerts.length).toBeGreaterThan(1);
    const arm64 = replay([ARM64.program, executable], recording, ARM64.env);
    expect(arm64).toEqual(x64);
  });

  test('trains the same model bytes as on x64, and scores the same', { timeout: EMULATED_MS }, () => {
    const work = temporaryDirectory();
    const recording = writeRecording(join(work, 'recording.csv'));
    const grid = join(work, 'grid.yaml');
    // Both detectors are compared; the bytes are the better one's.
    writeFileSync(grid, 'trees: 4\nrowsPerTree: 32\nwindows: 5/20\n');
    const trained = (command: readonly [string, ...string[]], env: Readonly<Record<string, string>>) => {
      const [program, ...words] = command;
      const registry = join(work, `registry-${words.length}`);
      const run = (...args: readonly string[]): string =>
        execFileSync(program, [...words, ...args, '--registry', registry], {
          encoding: 'utf8',
          env: { PATH: process.env['PATH'], ...env },
        });
      const record = JSON.parse(
        run('train', recording, '--name', 'web', '--grid', grid, '--json'),
      ) as ModelRecord;
      return {
        sha256: record.sha256,
        compared: record.compared.map(({ fitMs: _, ...figures }) => figures),
        test: record.metrics.test,
        scores: run('score', 'web@1', recording, '--explain'),
      };
    };
    const x64 = trained([EXECUTABLE], {});
    expect(x64.compared.map(({ parameters }) => parameters.detector)).toEqual([
      'metric-forests',
      'isolation-forest',
    ]);
    expect(x64.scores.split('\n').length).toBeGreaterThan(600);
    expect(trained([ARM64.program, executable], ARM64.env)).toEqual(x64);
  });
});
