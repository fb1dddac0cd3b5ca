/**
 * Builds `dist/edgewood-linux-x64` (or `--target linux-arm64`, on x64, too): the bundle, the SQLite addon and the licences inside Node itself
 * (https://nodejs.org/api/single-executable-applications.html). The same commit gives the same bytes, wherever it is
 * built; only whether `strip` is installed makes a difference, and that is printed.
 *
 * Options: `--out FILE`, `--no-pack` (skips the packed size, some seconds), `--version V` (to try an upgrade).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants, zstdCompressSync } from 'node:zlib';
import { buildFacts, bundle, ROOT } from './bundle.ts';
import { highestVersion, neededLibraries, neededVersions } from './elf.ts';
import { licences } from './licences.ts';

/** Where each target's runtime lies, and what strips it. The x64 one is pinned by the project's own lock file. */
const TARGETS: Readonly<Record<string, { readonly folder: string; readonly strip: string }>> = {
  'linux-x64': { folder: ROOT, strip: 'strip' },
  'linux-arm64': { folder: join(ROOT, 'build', 'arm64'), strip: 'aarch64-linux-gnu-strip' },
};
/** Runs while building, whatever the target. */
const BUILD_NODE = process.execPath;

/**
 * What V8 reads only while it starts, and what every command can live with: a young generation of 1 MB halves the
 * agent's heap and costs training nothing (measured); a pool of one thread, because 0 would mean one for each core.
 * Not `--single-threaded`: without concurrent marking the heap is 3 MB larger. The agent sets the rest itself
 * (cli/runtime.ts).
 */
const BAKED_FLAGS = [
  '--experimental-ffi',
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=1',
  '--v8-pool-size=1',
  // For agent/memory.ts: without pressure V8 keeps what a fit has left behind for hours.
  '--expose-gc',
];

const PACK_LEVEL = 15;

const { values: options } = parseArgs({
  options: {
    out: { type: 'string' },
    target: { type: 'string', default: 'linux-x64' },
    version: { type: 'string' },
    'no-pack': { type: 'boolean', default: false },
  },
});
const { target } = options;
const chosen = TARGETS[target];
if (chosen === undefined) {
  console.error(`--target ${target}: expected ${Object.keys(TARGETS).join(' or ')}`);
  process.exit(2);
}
const { folder, strip } = chosen;
const NODE_PACKAGE = join(folder, 'node_modules', `node-${target}`);
const ADDON = join(ROOT, 'node_modules', 'better-sqlite3', 'prebuilds', `${target}.node`);
const output = resolve(options.out ?? join(ROOT, 'dist', `edgewood-${target}`));
if (!existsSync(NODE_PACKAGE)) installRuntime(folder);
await buildExecutable(output, !options['no-pack']);

async function buildExecutable(file: string, pack: boolean): Promise<void> {
  const startedAt = performance.now();
  mkdirSync(dirname(file), { recursive: true });
  // Beside the output, so that the last step is a rename: a running executable is never half overwritten.
  const work = mkdtempSync(join(dirname(file), '.build-'));
  try {
    const stripped = prepareNode(join(work, 'node'));
    const metafile = await bundle(join(work, 'edgewood.cjs'), {
      ...buildFacts(target),
      ...(options.version !== undefined && { version: options.version }),
    });
    writeFileSync(join(work, 'licences.txt.br'), compress(licences(metafile, NODE_PACKAGE)));
    copyFileSync(ADDON, join(work, 'better_sqlite3.node'));
    inject(work);
    chmodSync(join(work, 'edgewood'), 0o755);
    renameSync(join(work, 'edgewood'), file);
    if (options.out === undefined) writeSums(dirname(file));
    report(file, stripped, statSync(join(work, 'edgewood.cjs')).size, pack, startedAt);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Of another processor: npm leaves it out of the project's own folder. */
function installRuntime(into: string): void {
  const [os = '', cpu = ''] = target.split('-');
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', `--os=${os}`, `--cpu=${cpu}`];
  execFileSync('npm', args, { cwd: into, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** For deploy/install.sh. */
function writeSums(directory: string): void {
  const lines = globSync('edgewood-linux-*', { cwd: directory })
    .sort()
    .map(
      (name) =>
        `${createHash('sha256')
          .update(readFileSync(join(directory, name)))
          .digest('hex')}  ${name}\n`,
    );
  writeFileSync(join(directory, 'SHA256SUMS'), lines.join(''));
}

/** Stripped before anything is injected: afterwards, strip would throw the injected part away. */
function prepareNode(file: string): boolean {
  copyFileSync(join(NODE_PACKAGE, 'bin', 'node'), file);
  chmodSync(file, 0o755);
  const { error, status, stderr } = spawnSync(strip, ['-s', file], { encoding: 'utf8' });
  if (error !== undefined) return false;
  if (status !== 0) throw new Error(`strip failed: ${stderr}`);
  return true;
}

/** Paths in the configuration are relative, because Node writes the main script's into the executable. */
function inject(work: string): void {
  const configuration = {
    main: 'edgewood.cjs',
    mainFormat: 'commonjs',
    executable: 'node',
    output: 'edgewood',
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    // The code cache differs from run to run; it would save 30 ms at start and cost reproducibility.
    useCodeCache: false,
    execArgv: BAKED_FLAGS,
    // NODE_OPTIONS must not reach it: --inspect would open a debugger into the agent, --require run foreign code.
    execArgvExtension: 'none',
    assets: { 'better_sqlite3.node': 'better_sqlite3.node', 'licences.txt.br': 'licences.txt.br' },
  };
  writeFileSync(join(work, 'sea.json'), JSON.stringify(configuration));
  const env = { ...process.env };
  delete env.NODE_OPTIONS;
  execFileSync(BUILD_NODE, ['--build-sea', 'sea.json'], {
    cwd: work,
    env,
    stdio: 'pipe',
  });
}

function compress(text: string): Buffer {
  return brotliCompressSync(text, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length },
  });
}

function report(
  file: string,
  stripped: boolean,
  bundleBytes: number,
  pack: boolean,
  startedAt: number,
): void {
  const bytes = readFileSync(file);
  const versions = [neededVersions(bytes), neededVersions(readFileSync(ADDON))];
  const megabytes = (size: number): string => `${(size / 1e6).toFixed(1)} MB`;
  const packed = (): number =>
    zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: PACK_LEVEL } }).length;
  const lines: [string, string][] = [
    ['file', relative(process.cwd(), file)],
    ['size', `${megabytes(bytes.length)}, of which the bundle ${megabytes(bundleBytes)}`],
    ...(pack ? [['packed', `${megabytes(packed())} (zstd -${PACK_LEVEL})`] as [string, string]] : []),
    ['sha256', createHash('sha256').update(bytes).digest('hex')],
    [
      'needs',
      `glibc >= ${highestVersion('GLIBC', versions)}, GLIBCXX >= ${highestVersion('GLIBCXX', versions)}`,
    ],
    ['libraries', neededLibraries(bytes).join(' ')],
    ['stripped', stripped ? 'yes' : `no: ${strip} (binutils) is not installed, so it is some 30 MB larger`],
    ['seconds', ((performance.now() - startedAt) / 1000).toFixed(1)],
  ];
  for (const [name, value] of lines) console.log(`${name.padEnd(10)} ${value}`);
}
