import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BROKEN, GOOD } from '../support/broken-files.ts';
import { EXECUTABLE, hasExecutable, runExecutable } from '../support/executable.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const GRID = 'detector: metric-forests\ntrees: 1\nrowsPerTree: 16\nwindows: 5/20\n';
const STACK = /^\s+at .+[:)]\d*$/m;

function trainOn(file: string, folder: string) {
  const registry = join(folder, 'registry');
  const grid = join(folder, 'grid.yaml');
  writeFileSync(grid, GRID);
  const run = runExecutable(['train', file, '--name', 'web', '--grid', grid, '--registry', registry]);
  const objects = join(registry, 'objects');
  return { run, registered: () => (existsSync(objects) ? readdirSync(objects) : []) };
}

/** Every broken file gets exit code 1 or 2 and a word that names it and the place; never a model. */
async function refused(file: string, folder: string, says: RegExp): Promise<void> {
  const { run, registered } = trainOn(file, folder);
  expect([1, 2], run.stderr()).toContain(await run.ended);
  expect(run.stdout()).toBe('');
  expect(run.stderr()).toMatch(/^edgewood: /);
  expect(run.stderr()).toContain(file);
  expect(run.stderr()).toMatch(says);
  expect(run.stderr()).not.toMatch(STACK);
  expect(registered()).toEqual([]);
}

describe.skipIf(!hasExecutable)('train on a broken file', () => {
  test('there are sixty of them at least', () => {
    expect(Object.keys(BROKEN).length).toBeGreaterThanOrEqual(60);
  });

  test('and a good one', async () => {
    const folder = temporaryDirectory();
    const file = join(folder, 'good.csv');
    writeFileSync(file, GOOD);
    const { run, registered } = trainOn(file, folder);
    expect(await run.ended, run.stderr()).toBe(0);
    expect(registered()).toHaveLength(1);
  });

  const all = mkdtempSync(join(tmpdir(), 'edgewood-broken-'));
  afterAll(() => rmSync(all, { recursive: true, force: true }));

  // Each is a process that mostly starts: several at a time.
  test.concurrent.for(Object.entries(BROKEN))('%s', async ([name, { content, says }]) => {
    const folder = join(all, name);
    const file = join(folder, 'broken.csv');
    mkdirSync(folder);
    writeFileSync(file, content);
    await refused(file, folder, says);
  });

  test('a directory', async () => {
    const folder = temporaryDirectory();
    mkdirSync(join(folder, 'data.csv'));
    await refused(join(folder, 'data.csv'), folder, /is a directory\. Name the CSV files in it/);
  });

  test('no file', async () => {
    const folder = temporaryDirectory();
    await refused(join(folder, 'data.csv'), folder, /ENOENT|is not there|no such/i);
  });

  test.skipIf(process.getuid?.() !== 0)('no permission', async () => {
    const folder = temporaryDirectory();
    const file = join(folder, 'data.csv');
    writeFileSync(file, GOOD, { mode: 0o600 });
    chmodSync(folder, 0o777);
    const executable = join(folder, 'edgewood');
    copyFileSync(EXECUTABLE, executable);
    chmodSync(executable, 0o755);
    const args = ['train', file, '--name', 'web', '--registry', join(folder, 'registry')];
    const { status, stderr } = spawnSync(executable, args, { uid: 65534, gid: 65534, encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain(`${file} can't be read (EACCES). Check its permissions.`);
  });

  test('a device without end', async () => {
    await refused('/dev/zero', temporaryDirectory(), /is no file/);
  });
});

describe.skipIf(!hasExecutable)('a file that only looks odd is read as what it is', () => {
  const ODD: Readonly<Record<string, string>> = {
    'no final line feed': GOOD.trimEnd(),
    'a byte order mark': `\ufeff${GOOD}`,
    'line ends of Windows': GOOD.replaceAll('\n', '\r\n'),
    'mixed line ends': GOOD.split('\n')
      .map((line, i) => (i % 2 === 0 ? `${line}\r` : line))
      .join('\n'),
    'quotes around cells': GOOD.replace(/[^,\n]+/g, '"$&"'),
    'blanks around cells': GOOD.replaceAll(',', ' , '),
    'empty lines between': GOOD.replaceAll('\n', '\n\n'),
  };

  test('all of them give the model of the plain file', async () => {
    const shaOf = async (content: string): Promise<string> => {
      const folder = temporaryDirectory();
      const file = join(folder, 'web.csv');
      writeFileSync(file, content);
      const { run, registered } = trainOn(file, folder);
      expect(await run.ended, run.stderr()).toBe(0);
      return registered().join();
    };
    const plain = await shaOf(GOOD);
    for (const [name, content] of Object.entries(ODD)) expect(await shaOf(content), name).toBe(plain);
  });
});
