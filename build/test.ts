/**
 * `npm test`: installs what the tests talk to, builds the executable where it is older than the sources, runs
 * vitest, and ends with `N passed, N failed[, N skipped]` on a line of its own. Arguments go to vitest; given a
 * filter, it runs without coverage, whose thresholds are for the whole.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
  'qemu-user-static': 'qemu-aarch64-static',
  'libc6-arm64-cross': '/usr/aarch64-linux-gnu/lib/libc.so.6',
  'libstdc++6-arm64-cross': '/usr/aarch64-linux-gnu/lib/libstdc++.so.6',
  'libatomic1-arm64-cross': '/usr/aarch64-linux-gnu/lib/libatomic.so.1',
} as const;

process.exitCode = main();

function main(): number {
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

function runVitest(): number {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-test-'));
  const report = join(work, 'report.json');
  const coverage = args.length === 0 ? ['--coverage'] : [];
  try {
    const status = run(process.execPath, [
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...coverage,
      ...args,
    ]);
    const summary = existsSync(report)
      ? summarise(JSON.parse(readFileSync(report, 'utf8')) as VitestReport)
      : { line: '0 passed, 1 failed', failed: 1 };
    console.log(summary.line);
    return status === 0 && summary.failed > 0 ? 1 : status;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(program: string, programArgs: readonly string[]): number {
  const env = { ...process.env, ...(existsSync(EXECUTABLE) ? { EDGEWOOD_EXECUTABLE: EXECUTABLE } : {}) };
  const { error, status } = spawnSync(program, programArgs, { cwd: root, stdio: 'inherit', env });
  if (error !== undefined) throw error;
  return status ?? 1;
}
