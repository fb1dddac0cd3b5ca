import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const built = process.env.EDGEWOOD_EXECUTABLE ?? join(root, 'dist', 'edgewood-linux-x64');
const isRoot = process.getuid?.() === 0;
/** Of a checkout: the rest decides what the executable is made of. */
const LEFT_OUT = new Set(['.git', 'dist', 'coverage', 'docs', 'test']);
const NOBODY = 65534;
const VERSION =
  /^edgewood \d+\.\d+\.\d+ \(commit \S+, node v26\.\d+\.\d+, sqlite 3\.\d+\.\d+, linux-x64\)\n$/;

let work = '';
let executable = '';

interface Surroundings {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
}

/** Runs the copy with nothing in its environment but what a test gives it. */
function edgewood(
  args: readonly string[],
  { env = {}, cwd = work, uid }: Surroundings = {},
): SpawnSyncReturns<string> {
  const identity = uid === undefined ? {} : { uid, gid: uid };
  return spawnSync(executable, args, { cwd, env, encoding: 'utf8', ...identity });
}

describe.skipIf(!existsSync(built))('the packaged executable', () => {
  beforeAll(() => {
    // Far from node_modules, where any user can reach it.
    work = mkdtempSync(join(tmpdir(), 'edgewood-e2e-'));
    chmodSync(work, 0o755);
    executable = join(work, 'edgewood');
    copyFileSync(built, executable);
    chmodSync(executable, 0o755);
  });

  afterAll(() => rmSync(work, { recursive: true, force: true }));

  it('tells its version, from an empty folder, with an empty environment', () => {
    const empty = join(work, 'empty');
    mkdirSync(empty);
    const { status, stdout, stderr } = edgewood(['--version'], { cwd: empty });
    expect(stderr).toBe('');
    expect(stdout).toMatch(VERSION);
    expect(status).toBe(0);
    expect(readdirSync(empty)).toEqual([]);
  });

  it('gives the same version as a command, and as JSON', () => {
    expect(edgewood(['version']).stdout).toMatch(VERSION);
    expect(JSON.parse(edgewood(['version', '--json']).stdout)).toMatchObject({ target: 'linux-x64' });
  });

  it('leaves nothing behind where it loaded its addon', () => {
    const temporary = join(work, 'temporary');
    mkdirSync(temporary);
    const before = statSync(temporary, { bigint: true }).mtimeNs;
    expect(edgewood(['--version'], { env: { TMPDIR: temporary } }).stdout).toMatch(VERSION);
    expect(readdirSync(temporary)).toEqual([]);
    expect(statSync(temporary, { bigint: true }).mtimeNs, 'it was used').toBeGreaterThan(before);
  });

  it('cannot be reached through NODE_OPTIONS', () => {
    const intruder = join(work, 'intruder.cjs');
    writeFileSync(intruder, `require('node:fs').writeFileSync(${JSON.stringify(join(work, 'reached'))}, '')`);
    for (const NODE_OPTIONS of ['--inspect=127.0.0.1:0', `--require ${intruder}`, '--no-such-option']) {
      const { status, stdout, stderr } = edgewood(['--version'], { env: { NODE_OPTIONS } });
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(VERSION);
    }
    expect(existsSync(join(work, 'reached'))).toBe(false);
  });

  it('keeps its arguments to itself: Node flags are unknown arguments', () => {
    const { status, stderr } = edgewood(['--inspect']);
    expect(status).toBe(2);
    expect(stderr).toContain('unknown argument');
  });

  it('works with a HOME that cannot be written', () => {
    const { status, stdout, stderr } = edgewood(['--version'], { env: { HOME: '/proc/nowhere' } });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(VERSION);
  });

  it.skipIf(!isRoot)('works as nobody (needs root to become it)', () => {
    const { status, stdout, stderr } = edgewood(['--version'], { uid: NOBODY });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(VERSION);
  });

  it('will not load its addon through a directory in which others may write', () => {
    const open = join(work, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    const before = statSync(open, { bigint: true }).mtimeNs;
    expect(edgewood(['--version'], { env: { TMPDIR: open } }).stdout).toMatch(VERSION);
    expect(statSync(open, { bigint: true }).mtimeNs, 'nothing was ever in it').toBe(before);
  });

  it('passes over a TMPDIR that is mounted noexec (needs root to mount)', ({ skip }) => {
    const mount = join(work, 'noexec');
    mkdirSync(mount);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'noexec,size=16m', 'none', mount]);
    if (mounted.status !== 0) skip('mounting is not permitted here');
    try {
      const { status, stdout } = edgewood(['--version'], { env: { TMPDIR: mount } });
      expect(status).toBe(0);
      expect(stdout).toMatch(VERSION);
      expect(readdirSync(mount)).toEqual([]);
    } finally {
      spawnSync('umount', [mount]);
    }
  });

  it('suggests the command that was meant', () => {
    const { status, stdout, stderr } = edgewood(['verison']);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^edgewood: unknown command 'verison'.*version/);
    expect(stderr).toContain('--help');
  });

  it.each([[[]], [['version', '--jsno']], [['--nothing']]])('refuses %j with exit code 2', (args) => {
    const { status, stdout, stderr } = edgewood(args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^edgewood: .*\nSee edgewood .*--help\.\n$/);
  });

  it('helps, for everything', () => {
    for (const args of [['--help'], ['version', '--help'], ['licences', '-h']]) {
      const { status, stdout, stderr } = edgewood(args);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toContain('--help');
    }
  });

  it('carries the licences of what it contains', () => {
    const { status, stdout } = edgewood(['--licences']);
    expect(status).toBe(0);
    for (const name of ['better-sqlite3', 'node', 'sqlite', 'yargs', 'node-addon-api']) {
      expect(stdout).toMatch(new RegExp(`^  ${name} \\S+: `, 'm'));
    }
    expect(stdout).toContain('Joshua Wise');
    expect(stdout).toContain('Node.js contributors');
    expect(stdout).toContain('Apache License');
  });

  it('stops quietly when its reader has gone', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    const script = '"$0" --licences | head -n 1; echo "${PIPESTATUS[0]}"';
    const piped = spawnSync('bash', ['-c', script, executable], { encoding: 'utf8' });
    expect(piped.stderr).toBe('');
    expect(piped.stdout).toMatch(/^edgewood is licensed .*\n0\n$/);
  });

  it('is the same to the byte when built twice, in different folders', () => {
    const digests = ['one', 'another/and/deeper'].map((folder) => {
      const checkout = join(work, folder);
      mkdirSync(checkout, { recursive: true });
      for (const entry of readdirSync(root)) {
        if (entry === 'node_modules') symlinkSync(join(root, entry), join(checkout, entry));
        else if (!LEFT_OUT.has(entry)) cpSync(join(root, entry), join(checkout, entry), { recursive: true });
      }
      const { status, stderr } = spawnSync(process.execPath, ['build/executable.ts', '--no-pack'], {
        cwd: checkout,
        encoding: 'utf8',
      });
      expect([status, stderr]).toEqual([0, '']);
      return createHash('sha256')
        .update(readFileSync(join(checkout, 'dist', 'edgewood-linux-x64')))
        .digest('hex');
    });
    expect(digests[0]).toBe(digests[1]);
  });
});
