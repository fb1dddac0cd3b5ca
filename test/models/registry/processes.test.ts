import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NOW_MS, openTestRegistry, registrable } from '../../support/records.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const CHILD = join(import.meta.dirname, 'registry-child.ts');
const PROCESSES = 4;

interface Child {
  readonly process: ChildProcess;
  readonly ready: Promise<void>;
  /** Lines it said, and how it ended. */
  readonly done: Promise<{ readonly lines: string[]; readonly ended: number | string | null }>;
}

function start(directory: string, work: string, count: number, id: number): Child {
  const child = spawn(process.execPath, [CHILD, directory, work, String(count), String(id)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let out = '';
  let getReady = (): void => {};
  const ready = new Promise<void>((resolve) => {
    getReady = resolve;
  });
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (out.startsWith('ready\n')) getReady();
  });
  const done = new Promise<{ lines: string[]; ended: number | string | null }>((resolve) => {
    child.once('close', (code, signal) =>
      resolve({ lines: out.trim().split('\n').slice(1), ended: code ?? signal }),
    );
  });
  return { process: child, ready, done };
}

/** All of them at once. @returns the lines of all */
async function together(directory: string, work: string, count: number): Promise<string[]> {
  const children = Array.from({ length: PROCESSES }, (_, id) => start(directory, work, count, id));
  await Promise.all(children.map(({ ready }) => ready));
  for (const { process: child } of children) child.stdin?.write('go\n');
  const ends = await Promise.all(children.map(({ done }) => done));
  expect(ends.map(({ ended }) => ended)).toEqual(children.map(() => 0));
  return ends.flatMap(({ lines }) => lines);
}

test('several processes make one registry, and each gets versions of its own', async () => {
  const directory = join(temporaryDirectory(), 'registry');
  const said = await together(directory, 'register', 8);
  const expected = Array.from({ length: 8 * PROCESSES }, (_, i) => i + 1);
  expect(said.map((line) => Number(line.replace('registered ', ''))).sort((a, b) => a - b)).toEqual(expected);
  const registry = openTestRegistry(directory, false);
  expect(registry.list()[0]?.versions.map(({ version }) => version)).toEqual(expected);
  expect(registry.verify()).toEqual([]);
  expect(new Set(registry.audit().map(({ actor }) => actor)).size).toBe(PROCESSES);
  registry.close();
}, 60_000);

test('of several that swap an alias, exactly one wins', async () => {
  const directory = temporaryDirectory();
  const registry = openTestRegistry(directory);
  for (let i = 0; i < 2; i++) {
    registry.register('web', null, (version, createdAt) => registrable('web', version, createdAt));
  }
  for (let round = 1; round <= 3; round++) {
    registry.setAlias('web', 'production', 1, { why: null });
    const said = await together(directory, 'swap', 1);
    expect(said.filter((line) => line.startsWith('won'))).toHaveLength(1);
    expect(said.filter((line) => line.startsWith('lost'))).toHaveLength(PROCESSES - 1);
    const [winner] = said.filter((line) => line.startsWith('won'));
    expect(`won ${registry.audit().at(-1)?.why}`).toBe(winner);
  }
  registry.close();
}, 60_000);

test('kill -9 at any moment: versions without gaps, each with its object, one stray at the most', async () => {
  const directory = join(temporaryDirectory(), 'registry');
  let promised = 0;
  for (const lines of [1, 3, 7, 2, 12]) {
    const child = start(directory, 'register', 100_000, 0);
    await child.ready;
    let seen = 0;
    child.process.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString().split('\n').length - 1;
      if (seen >= lines) child.process.kill('SIGKILL');
    });
    child.process.stdin?.write('go\n');
    const { lines: said, ended } = await child.done;
    expect(ended).toBe('SIGKILL');
    promised = Number(said.at(-1)?.replace('registered ', ''));
    const registry = openTestRegistry(directory, false);
    const versions = registry.list()[0]?.versions.map(({ version }) => version) ?? [];
    expect(versions.length).toBeGreaterThanOrEqual(promised);
    expect(versions).toEqual(versions.map((_, i) => i + 1));
    const findings = registry.verify();
    expect(findings.filter(({ kind }) => kind === 'damage')).toEqual([]);
    expect(readdirSync(join(directory, 'objects'))).toHaveLength(versions.length + findings.length);
    // Strays of earlier rounds are taken over: the same version of the same model is the same file.
    expect(findings.length).toBeLessThanOrEqual(5);
    registry.close();
  }
}, 60_000);

test('a process that dies between object and index leaves a stray, which the next registration takes over', () => {
  const directory = temporaryDirectory();
  const registry = openTestRegistry(directory);
  // As a full disk, or a kill, would: the file is there, and the transaction is not.
  const { bytes, record } = registrable('web', 1, new Date(NOW_MS).toISOString());
  const failing = openTestRegistry(directory);
  expect(() =>
    failing.register('web', null, (version, createdAt) => {
      const made = registrable('web', version, createdAt);
      const circular: Record<string, unknown> = { ...made.record };
      circular['notes'] = circular;
      return { bytes: made.bytes, record: circular as unknown as typeof made.record };
    }),
  ).toThrow('circular');
  failing.close();
  expect(registry.verify()).toEqual([
    expect.objectContaining({ where: `objects/${record.sha256}.edgewood`, kind: 'stray' }),
  ]);
  expect(registry.list()).toEqual([]);
  expect(registry.register('web', null, () => ({ bytes, record })).version).toBe(1);
  expect(registry.verify()).toEqual([]);
  registry.close();
});
