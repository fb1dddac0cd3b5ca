import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOST_DATA_SCHEMA } from '../../../models/data/data-schema.ts';
import { hostOf, readRecording, schemaOf } from '../../../models/data/read.ts';
import { UNLABELLED } from '../../../models/data/recording.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const OPTIONS = { schema: HOST_DATA_SCHEMA, maxViolationRate: 0.5, features: null, valuesMax: 1 << 20 };

function file(text: string, name = 'web-1.csv'): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, text);
  return path;
}

describe('a file to learn from', () => {
  test('gives its columns and labels; what breaks a rule is missing', async () => {
    const path = file(
      'timestamp,cpu,memory,network,label\n10,1,2,3,0\n20,101,,x,1\n30,inf,4,5,\nnoon,1,1,1,0\n40,6,7,8,2\n',
    );
    const { recording, report } = await readRecording(path, OPTIONS);
    expect(report).toMatchObject({ rows: 5, violations: 4 });
    expect(recording?.host).toBe('web-1');
    expect(recording?.names).toEqual(['cpu', 'memory', 'network']);
    expect(Array.from(recording?.timesMs ?? [])).toEqual([10_000, 20_000, 30_000, 40_000]);
    expect(recording?.columns.map((column) => Array.from(column))).toEqual([
      [1, Number.NaN, Number.NaN, 6],
      [2, Number.NaN, 4, 7],
      [3, Number.NaN, 5, 8],
    ]);
    expect(Array.from(recording?.labels ?? [])).toEqual([0, 1, UNLABELLED, UNLABELLED]);
  });

  test('only the features asked for, in the order asked for', async () => {
    const path = file('timestamp,cpu,memory,network\n10,1,2,3\n');
    const { recording } = await readRecording(path, { ...OPTIONS, features: ['network', 'cpu'] });
    expect(recording?.names).toEqual(['network', 'cpu']);
    expect(recording?.columns.map((column) => column[0])).toEqual([3, 1]);
    await expect(readRecording(path, { ...OPTIONS, features: ['disk'] })).rejects.toThrow(
      /line 1: no column "disk"; there are cpu, memory, network/,
    );
  });

  test('a host is called as its file is', () => {
    const names = ['/data/web-1.csv', 'web-1.csv.gz', 'web-1.db', 'a.b/web.1.gz', '-', '/dev/stdin'];
    expect(names.map(hostOf)).toEqual(['web-1', 'web-1', 'web-1', 'web.1', 'stdin', 'stdin']);
  });

  test('a metric of the host keeps its unit where its numbers are of it', async () => {
    const { recording } = await readRecording(
      file('timestamp,cpu,memory,network,queue,swap\n10,0.5,50,10,1,0\n20,0.9,60,20,2,0\n'),
      OPTIONS,
    );
    const { schema, notes } = schemaOf([recording!]);
    expect(schema.map(({ name, unit, noiseFloor }) => [name, unit, noiseFloor])).toEqual([
      ['cpu', 'value', 0],
      ['memory', 'percent', 0.5],
      ['network', 'value', 0],
      ['queue', 'value', 0],
      ['swap', 'percent', 0.5],
    ]);
    expect(notes).toEqual([
      'cpu never exceeds 0.9: taken as it is, not as percent; its noise floor is left out',
      'network never exceeds 20: taken as it is, not as bytesPerSecond; its noise floor is left out',
    ]);
  });
});
