/**
 * `npm test`: installs what the tests talk to, builds the executable where it is older than the sources, runs
 * vitest, and ends with `N passed, N failed[, N skipped]` on a line of its own. Arguments go to vitest; given a
 * filter, it runs once and without coverage, whose thresholds are for the whole.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { EXECUTABLE, isStale } from './stale.ts';
import { summarise, type VitestReport } from './test-summary.ts';

const root = join(import.meta.dirname, '..');
const inCi = process.env.CI === 'true' || process.env.CI === '1';
const args = process.argv.slice(2);

/** What the tests deliver to or check with: Debian package, and its program or a file of its. */
const SERVERS = {
  mosquitto: 'mosquitto',
  'victoria-metrics': 'victoria-metrics',
  'prometheus-alertmanager': 'prometheus-alertmanager',
  strace: 'strace',
  systemd: 'systemd-analyze',
  lintian: 'lintian',
  prometheus: 'promtool',
  chromium: '/usr/bin/chromium',
  libfaketime: '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  'qemu-user-static': 'qemu-aarch64-static',
  'libc6-arm64-cross': '/usr/aarch64-linux-gnu/lib/libc.so.6',
  'libstdc++6-arm64-cross': '/usr/aarch64-linux-gnu/lib/libstdc++.so.6',
  'libatomic1-arm64-cross': '/usr/aarch64-linux-gnu/lib/libatomic.so.1',
} as const;

/** Folders whose tests measure the coverage of core, collector and agent. It makes them two to three times as slow: the others do without. */
const COVERING = ['core', 'collector', 'agent', 'store', 'sinks', 'protocol'];
const NO_TESTS = ['benchmarks', 'oracle', 'support'];
/** A file of tests that takes longer never ends: a loop without end can't be ended from within, and would hold up all. */
const MOST_FILE_MS = 10 * 60_000;
const LOOK_EVERY_MS = 5000;

process.exitCode = await main();

async function main(): Promise<number> {
  const missing = missingServers();
  if (missing.length > 0 && inCi) {
    console.error(
      `npm test: ${missing.join(', ')} not installed, and could not be; in CI the tests that need them may not be skipped`,
    );
    return 1;
  }
  if (process.platform === 'linux' && process.arch === 'x64' && isStale()) {
    console.log('npm test: building the executable');
    if (run(process.execPath, ['build/executable.ts', '--no-pack']) !== 0) return 1;
  }
  return runVitest();
}

/** Those that are not here, after trying to install them (Debian, as root). */
function missingServers(): string[] {
  const missing = (): string[] =>
    Object.entries(SERVERS).flatMap(([name, program]) => (findProgram(program) ? [] : [name]));
  if (missing().length === 0) return [];
  if (process.getuid?.() !== 0 || !findProgram('apt-get')) {
    console.error(`npm test: no ${missing().join(', ')} here; the tests against them will be skipped`);
    return missing();
  }
  console.log(`npm test: installing ${missing().join(', ')}`);
  // No daemon of theirs shall be started: the tests start their own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  for (const step of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', ...missing()],
  ]) {
    const { status, stdout, stderr } = spawnSync('apt-get', step, { encoding: 'utf8', env });
    if (status !== 0) console.error(`${stdout}${stderr}`.trim());
  }
  return missing();
}

/** Debian puts daemons into /usr/sbin, which is in root's PATH alone. */
function findProgram(name: string): boolean {
  if (name.startsWith('/')) return existsSync(name);
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.some((folder) => folder !== '' && existsSync(join(folder, name)));
}

async function runVitest(): Promise<number> {
  if (args.length > 0) return closing([await runFiles(args)]);
  const others = readdirSync(join(root, 'test'), { withFileTypes: true })
    .filter((one) => one.isDirectory() && ![...COVERING, ...NO_TESTS].includes(one.name))
    .map(({ name }) => `test/${name}/`);
  return closing([
    await runFiles(['--coverage', ...COVERING.map((folder) => `test/${folder}/`)]),
    await runFiles(others),
  ]);
}

interface Ran {
  readonly status: number;
  readonly report: VitestReport | null;
}

async function runFiles(vitestArgs: readonly string[]): Promise<Ran> {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-test-'));
  const report = join(work, 'report.json');
  const running = join(work, 'running');
  mkdirSync(running);
  try {
    const status = await watched(running, [
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...vitestArgs,
    ]);
    return {
      status,
      report: existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as VitestReport) : null,
    };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function closing(ran: readonly Ran[]): number {
  const { line, failed } = summarise(ran.map(({ report }) => report));
  console.log(line);
  const status = Math.max(...ran.map((one) => one.status));
  return status === 0 && failed > 0 ? 1 : status;
}

/** @param running a folder in which each process of tests has a file of its number, with the path of what it runs (test/support/say-running.ts) */
async function watched(running: string, programArgs: readonly string[]): Promise<number> {
  const env = { ...environment(), EDGEWOOD_TEST_RUNNING: running };
  const child = spawn(process.execPath, programArgs, { cwd: root, stdio: 'inherit', env });
  const timer = setInterval(() => endHanging(running), LOOK_EVERY_MS);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    clearInterval(timer);
  }
}

function endHanging(running: string): void {
  for (const name of readdirSync(running)) {
    const file = join(running, name);
    if (Date.now() - statSync(file).mtimeMs < MOST_FILE_MS) continue;
    const path = readFileSync(file, 'utf8');
    rmSync(file);
    if (!isVitest(name)) continue;
    process.kill(Number(name), 'SIGKILL');
    console.error(`npm test: ${path} had not ended after ${MOST_FILE_MS / 60_000} minutes, and was killed`);
  }
}

/** Most have long ended; their numbers may be somebody else's by now. */
function isVitest(pid: string): boolean {
  try {
    return readFileSync(join('/proc', pid, 'cmdline'), 'utf8').includes('vitest');
  } catch {
    return false;
  }
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, ...(existsSync(EXECUTABLE) ? { EDGEWOOD_EXECUTABLE: EXECUTABLE } : {}) };
}

function run(program: string, programArgs: readonly string[]): number {
  const { error, status } = spawnSync(program, programArgs, {
    cwd: root,
    stdio: 'inherit',
    env: environment(),
  });
  if (error !== undefined) throw error;
  return status ?? 1;
}
