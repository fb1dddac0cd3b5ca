import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JudgedAlert } from '../../agent/operators.ts';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { BUSY_FROM_ROW, RECORDING_START_MS, writeRecording } from '../support/recording.ts';

const OPENED_MS = RECORDING_START_MS + BUSY_FROM_ROW * 5000;
const iso = (ms: number): string => new Date(ms).toISOString();

describe.skipIf(!hasExecutable)('what operators say', () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-verdicts-'));
  const state = ['--state-dir', join(directory, 'state')];
  let agent: Run | null = null;
  let id = '';

  /** An agent whose host had an incident, and which is there to be told. */
  beforeAll(async () => {
    const source = [
      '--source',
      `replay:${writeRecording(join(directory, 'recording.csv'))}`,
      '--refit',
      'off',
    ];
    const past = runExecutable(['agent', ...source, '--pace', 'max', '--warmup', '1900s', ...state]);
    expect(await past.ended).toBe(0);
    agent = runExecutable(['agent', ...source, '--pace', 'realtime', ...state]);
    await agent.logged('agent.started');
    [id = ''] = (await json<JudgedAlert[]>('list')).map(({ incidentId }) => incidentId);
    expect(id).not.toBe('');
  });
  afterAll(async () => {
    agent?.child.kill('SIGTERM');
    await agent?.ended;
    rmSync(directory, { recursive: true, force: true });
  });

  async function say(...args: string[]): Promise<{ code: number | string; out: string; err: string }> {
    const run = runExecutable([...args, ...state]);
    const code = await run.ended;
    return { code, out: run.stdout(), err: run.stderr() };
  }
  const alerts = (...args: string[]) => say('alerts', ...args);
  async function json<T>(...args: string[]): Promise<T> {
    return JSON.parse((await alerts(...args, '--json')).out) as T;
  }

  test('a verdict is in list, show and their JSON', async () => {
    expect((await json<JudgedAlert>('show', id)).verdict).toBeNull();
    expect((await alerts('verdict', id.slice(0, 6), 'true', '--note', 'disk full')).code).toBe(0);
    const word = { verdict: 'true', note: 'disk full', at: expect.stringMatching(/^20.*Z$/) };
    expect((await json<JudgedAlert>('show', id)).verdict).toEqual(word);
    expect((await json<JudgedAlert[]>('list'))[0]?.verdict).toEqual(word);
    expect((await alerts('list')).out).toMatch(/; verdict true, 20\d\d-.*Z: disk full\n/);
    expect((await alerts('show', id)).out).toMatch(/^ {2}verdict +true, 20\d\d-.*Z: disk full$/m);
  });

  test('what was missed: told, listed, in status by week, and taken back', async () => {
    const [from, to] = [iso(OPENED_MS - 600_000), iso(OPENED_MS - 300_000)];
    expect(await alerts('missed')).toEqual({ code: 0, out: 'Nothing was told as missed so far.\n', err: '' });
    const told = await alerts('missed', '--from', from, '--to', to, '--note', 'no route');
    expect(told).toMatchObject({ code: 0, out: expect.stringMatching(/^Missed: .*: no route\.\n$/) });
    const [known] = await json<object[]>('missed');
    expect(known).toMatchObject({ fromMs: Date.parse(from), toMs: Date.parse(to), note: 'no route' });
    expect((await alerts('missed')).out.startsWith(`${from} to 2023-11-14 `)).toBe(true);
    // That week is long past for this machine, and now for the replay.
    expect((await say('status')).out).toMatch(
      /by week[^\n]+\n +2023-11-13 +1 +1 +0 +0 +1 +100 % +50 % +0\.67\n/,
    );
    const { performance } = JSON.parse((await say('status', '--json')).out) as { performance: object };
    expect(performance).toMatchObject({ weeks: [{ judged: 1, missed: 1, recall: 0.5 }, {}, {}, {}] });
    expect((await alerts('missed', '--from', from, '--retract')).out).toMatch(/^No longer told as missed: /);
    expect(await json('missed')).toEqual([]);
    expect(await alerts('missed', '--from', from, '--retract')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/nothing was told as missed/),
    });
  });

  test('how long ago is a time, too', async () => {
    const before = Date.now();
    const { fromMs, toMs } = await json<{ fromMs: number; toMs: number }>(
      'missed',
      '--from',
      '2h',
      '--to',
      '90m',
    );
    expect(toMs - fromMs).toBe(30 * 60_000);
    expect(fromMs).toBeGreaterThanOrEqual(before - 2 * 3_600_000);
    await alerts('missed', '--from', String(fromMs), '--retract');
    expect(await json('missed')).toEqual([]);
  });

  test.each([
    [
      1,
      [iso(OPENED_MS)],
      /incident [0-9a-f]{16} stood from .*Say what it was worth: `edgewood alerts verdict /,
    ],
    [1, ['2999-01-01'], /2999-01-01T00:00:00\.000Z is yet to come/],
    [1, ['1999-01-01'], /retention\.events/],
    [1, ['2023-11-14T20:00Z', '--to', '2023-11-14T19:00Z'], /before it began/],
    [2, ['yesterday'], /--from "yesterday": expected a time \(2026-01-05T10:00Z/],
    [2, ['2023-11-14', '--to', 'soon'], /--to "soon": expected a time/],
    [2, ['2023-11-14', '--retract', '--note', 'x'], /leave out --to and --note/],
  ])('exit code %i, and a word that leads on: --from %j', async (code, args, says) => {
    const told = await alerts('missed', '--from', ...args);
    expect([told.code, told.out]).toEqual([code, '']);
    expect(told.err).toMatch(says);
    expect(told.err).not.toMatch(/\n {4}at /);
  });

  test('a note without a time asks for it', async () => {
    expect(await alerts('missed', '--note', 'x')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--note needs --from/),
    });
  });
});
