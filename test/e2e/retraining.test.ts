import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DriftData } from '../../core/protocol/drift.ts';
import type { RetrainingData } from '../../core/protocol/retraining.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { validator } from '../support/schemas.ts';
import { smallSeries } from '../support/series.ts';

const START_MS = 1_700_000_000_000;
const MINUTE_MS = 60_000;
/** A model after six hours of a row a minute; the memory shifts for good after eleven. */
const SHIFT_ROW = 11 * 60;
const ROWS = 24 * 60;

interface Told {
  readonly type: string;
  readonly time: string;
  readonly data: object;
}

describe.skipIf(!hasExecutable)('a replay whose regime shifts', () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-drift-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  let told: Told[] = [];

  beforeAll(async () => {
    const columns = smallSeries(ROWS, 5);
    const lines = ['timestamp,cpu,memory,network,swap'];
    for (let row = 0; row < ROWS; row++) {
      const values = columns.map((column) => column[row] as number);
      if (row >= SHIFT_ROW) values[1] = (values[1] as number) + 30;
      lines.push([new Date(START_MS + row * MINUTE_MS).toISOString(), ...values].join(','));
    }
    writeFileSync(join(directory, 'shift.csv'), `${lines.join('\n')}\n`);
    writeFileSync(
      join(directory, 'agent.yaml'),
      'interval: 1m\nlearning: { warmup: 6h, refit: off }\nretraining: { mode: local }\n',
    );
    const run = runExecutable([
      'agent',
      '--config',
      join(directory, 'agent.yaml'),
      '--state-dir',
      join(directory, 'state'),
      '--source',
      `replay:${join(directory, 'shift.csv')}`,
      '--pace',
      'max',
      '--stdout',
    ]);
    expect(await run.ended).toBe(0);
    told = run
      .stdout()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Told);
  });

  const dataOf = <T>(type: string): T[] =>
    told.filter((event) => event.type === type).map(({ data }) => data as T);

  test('is warned of, asked for, and learned; nothing of it before', () => {
    const drifts = dataOf<DriftData>('edgewood.drift');
    expect(drifts.slice(0, 2).map(({ state }) => state)).toEqual(['warning', 'retrain']);
    const shiftMs = START_MS + SHIFT_ROW * MINUTE_MS;
    expect(Date.parse(drifts[0]?.decidedAt as string)).toBeGreaterThan(shiftMs);
    expect(drifts[0]?.streams[0]?.name).toBe('memory');
    const decisions = dataOf<RetrainingData>('edgewood.retraining');
    expect(decisions.map(({ decision }) => decision)).toEqual(['begun', 'activated']);
    expect(decisions[1]?.reason).toBe('drift');
    expect(dataOf('edgewood.model.activated')).toHaveLength(2);
  });

  test('every event is valid', () => {
    for (const data of dataOf('edgewood.drift')) expect(validator('drift')(data)).toEqual([]);
    for (const data of dataOf('edgewood.retraining')) expect(validator('retraining')(data)).toEqual([]);
  });
});
