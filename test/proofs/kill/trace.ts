import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { EXECUTABLE } from '../../support/executable.ts';

/** What a process did to its files and sockets, in order, as strace saw it. */
export type Operation =
  | { readonly kind: 'create'; readonly path: string; readonly truncate: boolean }
  | { readonly kind: 'write'; readonly path: string; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly path: string; readonly length: number }
  | { readonly kind: 'sync'; readonly path: string }
  | { readonly kind: 'link'; readonly from: string; readonly to: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string }
  /** Bytes to a TCP socket. */
  | { readonly kind: 'send'; readonly bytes: Buffer };

const STRACE = '/usr/bin/strace';
/** Some containers forbid one process to trace another. */
export const canTrace = existsSync(STRACE) && spawnSync(STRACE, ['-o', '/dev/null', 'true']).status === 0;
const CALLS = [
  ...[
    'openat',
    'pwrite64',
    'write',
    'writev',
    'sendto',
    'sendmsg',
    'fsync',
    'fdatasync',
    'ftruncate',
    'lseek',
  ],
  ...['rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'link', 'linkat'],
];

/** A command line behind which a program is traced. */
export const traced = (logPath: string): string[] => [
  STRACE,
  ...['-f', '-yy', '-xx', '-s', '4000000', '-e', `trace=${CALLS.join(',')}`, '-o', logPath],
];

/** Runs the packaged executable under strace, to its end. @returns its exit code */
export function runTraced(args: readonly string[], logPath: string): Promise<number> {
  const [strace = '', ...options] = traced(logPath);
  const child = spawn(strace, [...options, EXECUTABLE, ...args], {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'] ?? '' },
  });
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? -1)));
}

const unhex = (text: string): Buffer => Buffer.from(text.replaceAll('\\x', ''), 'hex');
const nameOf = (hex: string): string => unhex(hex).toString('utf8');

/** @param directory absolute; what happens elsewhere is left out */
export function readTrace(logPath: string, directory: string): Operation[] {
  const operations: Operation[] = [];
  const positions = new Map<string, number>();
  const open = new Map<string, string>();
  const inside = (path: string): boolean => path.startsWith(`${directory}/`) || path === directory;
  for (const line of readFileSync(logPath, 'latin1').split('\n')) {
    const thread = line.slice(0, line.indexOf(' '));
    let call = line.slice(thread.length).trimStart();
    const unfinished = call.indexOf(' <unfinished ...>');
    if (unfinished >= 0) {
      open.set(thread, call.slice(0, unfinished));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(call);
    if (resumed !== null) call = (open.get(thread) ?? '') + call.slice(resumed[0].length);
    const result = Number(/ = (-?\d+)/.exec(call.slice(call.lastIndexOf(' = ')))?.[1] ?? -1);
    if (result < 0) continue;
    const name = call.slice(0, call.indexOf('('));
    const descriptor = /^\w+\((\d+)<((?:\\x..)+|TCP[^>]*(?:>[^,]*)?)/.exec(call);
    const fd = descriptor?.[1] ?? '';
    const target = descriptor?.[2] ?? '';
    if (name === 'openat') {
      const path = nameOf(/ = \d+<((?:\\x..)+)/.exec(call)?.[1] ?? '');
      positions.set(String(result), 0);
      if (inside(path) && call.includes('O_CREAT')) {
        operations.push({ kind: 'create', path, truncate: call.includes('O_TRUNC') });
      }
      continue;
    }
    if (/^(?:rename|unlink|link)/.test(name)) {
      const paths = [...call.matchAll(/"((?:\\x..)*)"/g)].map((match) => nameOf(match[1] ?? ''));
      const [from = '', to = ''] = paths;
      if (!inside(from)) continue;
      if (name.startsWith('unlink')) operations.push({ kind: 'unlink', path: from });
      else operations.push({ kind: name.startsWith('rename') ? 'rename' : 'link', from, to });
      continue;
    }
    if (target.startsWith('TCP')) {
      const bytes = Buffer.concat(
        [...call.matchAll(/"((?:\\x..)*)"/g)].map((match) => unhex(match[1] ?? '')),
      );
      operations.push({ kind: 'send', bytes: bytes.subarray(0, result) });
      continue;
    }
    const path = nameOf(target.startsWith('\\x') ? target : '');
    if (!inside(path)) continue;
    if (name === 'lseek') positions.set(fd, result);
    else if (name === 'fsync' || name === 'fdatasync') operations.push({ kind: 'sync', path });
    else if (name === 'ftruncate') {
      operations.push({ kind: 'truncate', path, length: Number(/, (\d+)\)/.exec(call)?.[1]) });
    } else {
      const bytes = unhex(/"((?:\\x..)*)"/.exec(call)?.[1] ?? '').subarray(0, result);
      const at = name === 'pwrite64' ? Number(/, (\d+)\)\s*=/.exec(call)?.[1]) : (positions.get(fd) ?? 0);
      if (name !== 'pwrite64') positions.set(fd, at + result);
      operations.push({ kind: 'write', path, at, bytes });
    }
  }
  return operations;
}
