import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { open, temporaryDirectory } from './helpers.ts';

const FIXTURE = join(import.meta.dirname, 'kill-fixture.ts');

/** Runs the writer until it has printed `lines` lines, then kills it; everything it printed. */
async function writeAndKill(directory: string, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [FIXTURE, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const printed: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    printed.push(line);
    if (printed.length === lines) child.kill('SIGKILL'); // what it printed until the signal arrived still comes
  }
  expect(await exited).toEqual([null, 'SIGKILL']);
  return printed;
}

it('keeps every committed event over kill -9, in one epoch, with no number given twice', async () => {
  const directory = temporaryDirectory();
  const committed: string[] = [];
  for (const [round, lines] of [2, 11, 40, 3, 77].entries()) {
    const [first, ...rest] = await writeAndKill(directory, lines);
    expect(first).toMatch(round === 0 ? / new$/ : / continued$/);
    committed.push(...rest.map((line) => line.replace('committed ', '')));
    const store = open(directory);
    expect(store.epochReason).toBe('continued');
    const kept = store.events(0, 100_000).map((event) => event.id);
    expect(kept).toEqual(expect.arrayContaining(committed));
    expect(kept).toEqual(kept.map((_, index) => `${store.epoch}-${index + 1}`));
    const waiting = new Set(store.pending('a', 100_000).map((event) => event.id));
    expect(committed.filter((id) => Number(id.split('-')[1]) % 3 !== 0 && !waiting.has(id))).toEqual([]);
    store.close();
  }
  expect(new Set(committed).size).toBe(committed.length);
}, 60_000);
