import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { encodeModel } from '../../models/artifact.ts';
import { tinyIsolationForest, tinyModel } from '../support/artifacts.ts';
import { EXECUTABLE, hasExecutable, runExecutable } from '../support/executable.ts';
import { BUSY_FROM_ROW, writeRecording } from '../support/recording.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const run = async (...args: string[]): Promise<{ code: number | string; out: string; err: string }> => {
  const it = runExecutable(args);
  return { code: await it.ended, out: it.stdout(), err: it.stderr() };
};

describe.skipIf(!hasExecutable)('edgewood score', () => {
  test('what a host learned scores its recording: the busy rows stand out, contributions add up', async () => {
    const directory = temporaryDirectory();
    const recording = writeRecording(join(directory, 'recording.csv'));
    const state = join(directory, 'state');
    const learn = ['--pace', 'max', '--warmup', '1900s', '--refit', 'off', '--state-dir', state];
    expect((await run('agent', '--source', `replay:${recording}`, ...learn)).code).toBe(0);
    const model = join(state, 'models', 'current.edgewood');

    const { code, out, err } = await run('score', model, recording, '--explain');
    expect([code, err]).toEqual([0, '']);
    const [head, ...lines] = out
      .trim()
      .split('\n')
      .map((line) => line.split(','));
    expect(head?.slice(0, 4)).toEqual(['timestamp', 'score', 'anomaly', 'base_value']);
    expect(lines).toHaveLength(610);
    expect(head?.at(-1)).toBe('explained');
    for (const [, score, , ...parts] of lines) {
      expect(
        parts
          .slice(0, -1)
          .map(Number)
          .reduce((a, b) => a + b, 0),
      ).toBeCloseTo(Number(parts.at(-1)), 9);
      expect(parts.at(-1)).toBe(score);
    }
    const anomalous = lines.flatMap(([, , anomaly], row) => (anomaly === '1' ? [row] : []));
    expect(anomalous).toContain(BUSY_FROM_ROW);
    expect(anomalous.filter((row) => row < BUSY_FROM_ROW).length).toBeLessThan(5);
    const busy = lines[BUSY_FROM_ROW] as string[];
    const largest = Math.max(...busy.slice(4, -1).map(Number));
    expect(head?.[busy.findIndex((cell, i) => i > 3 && Number(cell) === largest)]).toBe('contribution_cpu');

    const file = join(directory, 'scores.csv');
    expect((await run('score', model, recording, '--out', file)).out).toBe('');
    const plain = readFileSync(file, 'utf8').trim().split('\n');
    expect(plain[1]).toBe(lines[0]?.slice(0, 3).join(','));

    writeFileSync(file, 'timestamp,cpu\n1700000000,5\n1700000005,6\n');
    const partly = await run('score', model, file);
    expect([partly.code, partly.err]).toEqual([0, expect.stringContaining('lacks memory, network')]);
    writeFileSync(file, 'timestamp,queue\n1700000000,5\n');
    expect(await run('score', model, file)).toMatchObject({
      code: 2,
      err: expect.stringContaining('has none of the metrics'),
    });
    expect(await run('score', recording, recording)).toMatchObject({
      code: 2,
      err: expect.stringContaining('is no model; MODEL comes first, then FILE'),
    });
    expect(await run('score', '/nowhere', recording)).toMatchObject({
      code: 2,
      err: expect.stringContaining("can't be read (ENOENT)"),
    });
    expect(await run('score', model, '/nowhere')).toMatchObject({
      code: 2,
      err: expect.stringContaining("can't be opened (ENOENT)"),
    });
  });

  test('an isolation forest: contributions add up to the path length, not to the score', async () => {
    const directory = temporaryDirectory();
    const model = join(directory, 'forest.edgewood');
    writeFileSync(model, encodeModel(tinyIsolationForest()));
    const recording = writeRecording(join(directory, 'recording.csv'));
    const { code, out } = await run('score', model, recording, '--explain');
    expect(code).toBe(0);
    const lines = out
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',').map(Number));
    expect(lines).toHaveLength(610);
    for (const [, score = 0, , ...parts] of lines) {
      const explained = parts.at(-1) as number;
      expect(parts.slice(0, -1).reduce((a, b) => a + b, 0)).toBeCloseTo(explained, 9);
      expect(explained).toBeLessThan(0);
      expect(score).toBeGreaterThan(0);
    }
  });

  test('every row that has a time is scored, as it comes; the others are told', async () => {
    const directory = temporaryDirectory();
    const model = join(directory, 'tiny.edgewood');
    writeFileSync(model, encodeModel(tinyModel()));
    const file = join(directory, 'data.csv');
    const rows = [
      '1700000000,5,40',
      'noon,5,40',
      '1700000005,500,40',
      '1700000005,6,40',
      '1700000001,,41',
      '1',
    ];
    writeFileSync(file, `timestamp,cpu,memory\n${rows.join('\n')}\n`);
    const scored = await run('score', model, file);
    expect(scored).toMatchObject({
      code: 0,
      err: 'edgewood: 2 of 6 rows were left out. The first: line 3, timestamp: "noon" is no time (ISO 8601, epoch seconds or milliseconds).\n',
    });
    expect(scored.out.trim().split('\n')).toHaveLength(5);
    const piped = spawnSync(EXECUTABLE, ['score', model, '-'], {
      input: readFileSync(file),
      encoding: 'utf8',
    });
    expect(piped.stdout).toBe(scored.out);
    writeFileSync(file, 'timestamp,cpu,memory\nnoon,5,40\n');
    expect(await run('score', model, file)).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('no row can be read. The first: line 2, timestamp: "noon"'),
    });
    writeFileSync(file, 'timestamp,cpu,memory\n');
    expect(await run('score', model, file)).toMatchObject({
      code: 2,
      err: expect.stringContaining('there is no row behind the header'),
    });
    writeFileSync(file, 'timestamp,cpu,memory\n1700000000,5,40\n');
    expect(await run('score', model, file, '--out', '/dev/full')).toMatchObject({
      code: 2,
      err: "edgewood: /dev/full: can't be written (ENOSPC)\n",
    });
  });
});
