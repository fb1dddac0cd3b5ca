import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel } from '../../models/artifact.ts';
import { smallModel, smallRecording } from '../support/evaluated.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { recordingCsv } from '../support/recording.ts';

const run = async (...args: string[]): Promise<{ code: number | string; out: string; err: string }> => {
  const it = runExecutable(['evaluate', ...args]);
  return { code: await it.ended, out: it.stdout(), err: it.stderr() };
};

describe.skipIf(!hasExecutable)('edgewood evaluate', () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-evaluate-'));
  const at = (name: string): string => join(directory, name);
  const [model, other, file, gate] = ['a.edgewood', 'b.edgewood', 'test.csv', 'gate.yaml'].map(at) as [
    string,
    string,
    string,
    string,
  ];

  beforeAll(() => {
    writeFileSync(model, encodeModel(smallModel('metric-forests')));
    writeFileSync(other, encodeModel(smallModel('isolation-forest')));
    writeFileSync(file, recordingCsv(smallRecording(true)));
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('one JSON document; a gate that is met', async () => {
    writeFileSync(gate, 'minimum: { eventRecall: 0.9 }\nmaximum: { modelBytes: 1000000 }\n');
    const { code, out, err } = await run(model, file, '--json', '--gate', gate);
    expect([code, err]).toEqual([0, '']);
    const document = JSON.parse(out) as Record<string, unknown>;
    expect(document).toMatchObject({
      schemaVersion: 1,
      metrics: { rows: 1800, events: { segments: 4, found: 4 } },
      files: [{ host: 'test', intervalMs: 60_000 }],
      against: null,
      gate: { passed: true },
      notes: [],
    });
    expect(out).not.toContain('NaN');
  });

  test('--host says whose the file is: its thresholds', async () => {
    const several = at('several.edgewood');
    const one = smallModel('metric-forests');
    const hosts = ['web-1', 'web-2'].map((host) => ({ host, rows: 1500, thresholds: one.thresholds }));
    writeFileSync(several, encodeModel({ ...one, hosts }));
    const notes = async (...more: string[]): Promise<unknown> => {
      const { out } = await run(several, file, '--json', '--no-robustness', ...more);
      const { notes: found, files } = JSON.parse(out) as { notes: string[]; files: { host: string }[] };
      return [files.map(({ host }) => host), found];
    };
    expect(await notes()).toEqual([
      ['test'],
      [`test is not among the hosts of ${several} (web-1, web-2): common thresholds`],
    ]);
    expect(await notes('--host', 'web-1')).toEqual([['web-1'], []]);
  });

  test('tables, a page, and a gate that is not met', async () => {
    writeFileSync(gate, 'minimum: { precision: 1 }\nagainst: { averagePrecision: -1 }\n');
    const html = at('report.html');
    const { code, out, err } = await run(
      model,
      file,
      '--against',
      other,
      '--gate',
      gate,
      '--html',
      html,
      '--no-robustness',
    );
    expect([code, err]).toEqual([1, `edgewood: report written to ${html}\n`]);
    expect(out).toMatch(/✗ gate failed\n {2}minimum\.precision: [\d.]+, at least 1\n/);
    expect(out).toMatch(/^ {2}AUC-PR +0\.\d+ +0\.\d+$/m);
    expect(readFileSync(html, 'utf8')).toContain('<b>Gate failed</b>: 1 of 2 conditions not met');
  });

  test('what is wrong is named', async () => {
    const bad = at('bad.csv');
    writeFileSync(bad, 'timestamp,cpu,memory,network,swap\n1700000000,x,y,z,w\n1700000060,x,y,z,w\n');
    writeFileSync(gate, 'minimum: { aucPr: 1 }\n');
    const says = async (message: string, ...args: string[]): Promise<void> => {
      expect(await run(...args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) });
    };
    await says('gate.yaml: minimum: unknown "aucPr"', model, file, '--gate', gate);
    await says('bad.csv is not fit to judge a model by: ', model, bad);
    await says('test.csv is no model; MODEL comes first, then FILE', file, model);
    const packed = at('packed.csv.gz');
    writeFileSync(packed, gzipSync(recordingCsv(smallRecording(true))));
    await says('packed.csv.gz is no model; MODEL comes first, then FILE', packed, model);
    await says('test.csv is no model\n', model, file, '--against', file);
    await says('web@1 is no file; to compare with that model: --against web@1 FILE', model, 'web@1');
    await says('--host: says whose one file is', model, file, file, '--host', 'web-1');
    await says("can't be opened", model, '/nowhere.csv');
    await says(
      "/nowhere/r.html: can't be written: its folder does not exist",
      model,
      file,
      '--no-robustness',
      '--html',
      '/nowhere/r.html',
    );
    writeFileSync(gate, 'minimum: [\n');
    await says('gate.yaml:2:1: ', model, file, '--gate', gate);
  });
});
