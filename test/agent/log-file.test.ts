import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogFile } from '../../agent/log-file.ts';

const DAY_MS = 86_400_000;
let directory = '';
let path = '';
let nowMs = Date.UTC(2026, 0, 1);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'edgewood-log-'));
  path = join(directory, 'agent.log');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (options: { rotateBytes?: number; keepFiles?: number } = {}): LogFile =>
  new LogFile(path, { nowMs: () => nowMs, ...options });
const files = (): string[] => readdirSync(directory).sort();

test('appends, at once, readable by the group only', () => {
  const file = open();
  file.write('one\n');
  expect(readFileSync(path, 'utf8')).toBe('one\n');
  expect(statSync(path).mode & 0o007).toBe(0);
  file.close();
  const again = open();
  again.write('two\n');
  again.close();
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
});

test('is turned over before it would be too large, and no line is split or lost', () => {
  const file = open({ rotateBytes: 10 });
  for (let i = 0; i < 6; i++) {
    nowMs += 1000;
    file.write(`line${i}\n`);
  }
  file.close();
  const all = files().filter((name) => name !== 'agent.log');
  expect([...all, 'agent.log'].map((name) => readFileSync(join(directory, name), 'utf8')).join('')).toBe(
    'line0\nline1\nline2\nline3\nline4\nline5\n',
  );
  expect(all).toHaveLength(5);
});

test('keeps seven days, and so many files at the most; what is not its own it leaves', () => {
  const file = open({ rotateBytes: 1, keepFiles: 3 });
  for (let i = 0; i < 8; i++) {
    nowMs += 1000;
    file.write(`${i}\n`);
  }
  expect(files().filter((name) => name !== 'agent.log')).toHaveLength(3);
  const [oldest = ''] = files().filter((name) => name !== 'agent.log');
  const old = new Date(nowMs - 8 * DAY_MS);
  utimesSync(join(directory, oldest), old, old);
  const other = join(directory, 'agent.log.notes');
  renameSync(join(directory, files().at(-1) as string), other);
  utimesSync(other, old, old);
  file.reopen();
  file.close();
  expect(files()).not.toContain(oldest);
  expect(files()).toContain('agent.log.notes');
});

test('what was turned over a week ago goes even if the log never grows enough to be turned over again', () => {
  const file = open({ rotateBytes: 10 });
  file.write('line one\n');
  file.write('line two\n');
  const turnedOver = (): string[] => files().filter((name) => name !== 'agent.log');
  const [old = ''] = turnedOver();
  utimesSync(join(directory, old), new Date(nowMs), new Date(nowMs));
  nowMs += 6 * DAY_MS;
  file.write('');
  expect(turnedOver()).toHaveLength(1);
  nowMs += 1.5 * DAY_MS;
  file.write('');
  expect(turnedOver()).toEqual([]);
  file.close();
});

test('moved away from outside, it goes on in a new one when told', () => {
  const file = open();
  file.write('before\n');
  renameSync(path, join(directory, 'moved'));
  file.reopen();
  file.write('after\n');
  file.close();
  expect(readFileSync(path, 'utf8')).toBe('after\n');
});

test('what the disk refuses is counted, and thrown at nobody', () => {
  const file = open();
  rmSync(directory, { recursive: true });
  file.close();
  file.write('x\n');
  expect(file.lost).toBe(1);
});
