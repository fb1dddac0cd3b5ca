import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EXECUTABLE, hasExecutable, runExecutable } from '../support/executable.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const GOOD = 'timestamp,cpu,memory,network\n2024-01-01T00:00:00Z,5,5,5\n2024-01-01T00:00:05Z,6,5,5\n';
const BAD = GOOD.replace(',6,', ',600,');

async function validate(
  args: readonly string[],
  input?: string,
): Promise<{ code: number | string; out: string; err: string }> {
  if (input === undefined) {
    const run = runExecutable(['validate', ...args]);
    return { code: await run.ended, out: run.stdout(), err: run.stderr() };
  }
  const child = spawn(EXECUTABLE, ['validate', ...args], { stdio: 'pipe' });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdin.end(input);
  const code = await new Promise<number>((resolve) => child.once('close', (ended) => resolve(ended ?? -1)));
  return { code, out, err };
}

describe.skipIf(!hasExecutable)('edgewood validate', () => {
  test('a verdict for a person, by the exit code for a script', async () => {
    const file = join(temporaryDirectory(), 'bad.csv');
    writeFileSync(file, BAD);
    const { code, out } = await validate([file]);
    expect(code).toBe(1);
    expect(out).toContain(`✗ fail  ${file}: 2 rows, 2024-01-01T00:00 to 2024-01-01T00:00, every 5 s\n`);
    expect(out).toContain('because 50 % of the rows (1 of 2) break a rule; at most 5 % may');
    expect(out).toContain('line 3, cpu: 600 is above 100');
    expect((await validate(['--max-violations', '50', file])).code).toBe(0);
  });

  test('standard input, JSON, a report', async () => {
    const report = join(temporaryDirectory(), 'report.json');
    const { code, out, err } = await validate(['--json', '--report', report, '-'], GOOD);
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toMatchObject({ file: 'standard input', rows: 2, verdict: 'pass' });
    expect(JSON.parse(readFileSync(report, 'utf8'))).toEqual(JSON.parse(out));
  });

  test('several files have one verdict', async () => {
    const directory = temporaryDirectory();
    const paths = [GOOD, BAD].map((text, i) => {
      const path = join(directory, `${i}.csv`);
      writeFileSync(path, text);
      return path;
    });
    const { code, out } = await validate(['--json', ...paths]);
    const { verdict, files } = JSON.parse(out) as { verdict: string; files: { verdict: string }[] };
    expect([code, verdict, files.map((one) => one.verdict)]).toEqual([1, 'fail', ['pass', 'fail']]);
  });

  test('what can not be read is said in a line', async () => {
    const schema = join(temporaryDirectory(), 'schema.yaml');
    writeFileSync(schema, 'columns: [a]\n');
    const cases: [string[], RegExp][] = [
      [['/nowhere.csv'], /^edgewood: \/nowhere\.csv can't be opened \(ENOENT\)\. Check the path\.\n$/],
      [['--schema', schema, '/nowhere.csv'], /schema\.yaml: expected `columns:`/],
      [['--schema', '/nowhere.yaml', '/nowhere.csv'], /nowhere\.yaml: can't be read \(ENOENT\)/],
      [['--max-violations', '200', '/nowhere.csv'], /expected percent, from 0 to 100/],
      [[], /files is missing: edgewood validate <files\.\.>\nSee edgewood validate --help\.\n$/],
    ];
    for (const [args, message] of cases) {
      const { code, out, err } = await validate(args);
      expect([code, out]).toEqual([2, '']);
      expect(err).toMatch(message);
    }
  });
});
