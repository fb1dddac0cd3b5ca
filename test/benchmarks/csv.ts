/**
 * `npm run bench:csv`: the packaged executable validates a CSV file of a million rows and three metrics; pandas reads the
 * same file (read_csv with its defaults: C engine) and does nothing else. In turns, each a process of its own; medians
 * of wall and CPU time, start-up included, and of `read_csv` alone. Needs Debian's python3-pandas.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { Random } from '../../core/random.ts';
import { circumstances, writeResult } from '../proofs/proof.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { median, mediansOf, needPython, ONE_THREAD, PYTHON, ratiosOf, type Seconds } from './python-peer.ts';

const ROWS = 1_000_000;
const REPEATS = 7;
const REQUIRED = 1.5;

needPython('pandas', 'python3-pandas');
const directory = mkdtempSync(join(tmpdir(), 'edgewood-csv-'));
try {
  const files = { epoch: await writeCsv('epoch'), iso: await writeCsv('iso') };
  const result = {
    ...circumstances(),
    command: 'npm run bench:csv',
    rows: ROWS,
    metrics: 3,
    repeats: REPEATS,
    required: REQUIRED,
    epochSeconds: await compare(files.epoch),
    iso8601: await compare(files.iso),
  };
  console.log(writeResult('benchmarks', 'csv', result));
} finally {
  rmSync(directory, { recursive: true });
}

async function writeCsv(kind: 'epoch' | 'iso'): Promise<string> {
  const path = join(directory, `${kind}.csv`);
  const out = createWriteStream(path);
  const random = new Random(1);
  let lines = 'timestamp,cpu,memory,network\n';
  let memory = 50;
  for (let i = 0; i < ROWS; i++) {
    const second = 1_700_000_000 + 5 * i;
    const time = kind === 'epoch' ? second : new Date(second * 1000).toISOString();
    memory = Math.min(99, Math.max(1, memory + 0.1 * (random.float() - 0.5)));
    const cpu = 20 + 40 * random.float() * random.float();
    lines += `${time},${cpu.toFixed(2)},${memory.toFixed(2)},${(1e6 * random.float() ** 3).toFixed(1)}\n`;
    if (lines.length > 1 << 20) {
      if (!out.write(lines)) await new Promise((resolve) => out.once('drain', resolve));
      lines = '';
    }
  }
  out.end(lines);
  await finished(out);
  return path;
}

async function compare(path: string) {
  const own: Seconds[] = [];
  const peer: Seconds[] = [];
  const readCsv: Seconds[] = [];
  const peaks: number[] = [];
  let pandas = '';
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
    const ours = await run(EXECUTABLE, ['validate', '--json', path]);
    const report = JSON.parse(ours.out) as { rows: number; verdict: string };
    if (report.rows !== ROWS || report.verdict !== 'pass') throw new Error(`validate: ${ours.out}`);
    const theirs = await run(PYTHON, [join(import.meta.dirname, 'peers', 'pandas_read.py'), path]);
    const read = JSON.parse(theirs.out) as Seconds & { rows: number; pandas: string };
    if (read.rows !== ROWS) throw new Error(`pandas read ${read.rows} rows`);
    pandas = read.pandas;
    // The first turn brings files and programs into the page cache.
    if (repeat === 0) continue;
    own.push(ours.seconds);
    peer.push(theirs.seconds);
    readCsv.push({ wall: read.wall, cpu: read.cpu });
    peaks.push(ours.peakBytes);
  }
  const summary = {
    pandas,
    seconds: mediansOf(own),
    peakBytes: median(peaks),
    pandasProcessSeconds: mediansOf(peer),
    readCsvSeconds: mediansOf(readCsv),
    /** Ours over theirs: start-up of both included, and against read_csv alone (ours still with its start-up). */
    ratioOfProcesses: inverse(ratiosOf(peer, own)),
    ratioToReadCsv: inverse(ratiosOf(readCsv, own)),
  };
  const { ratioOfProcesses, ratioToReadCsv, seconds } = summary;
  console.log(
    `${path}: ${seconds.wall.toFixed(2)} s (CPU ${seconds.cpu.toFixed(2)}), of pandas' process ${ratioOfProcesses.wall.toFixed(2)} (CPU ${ratioOfProcesses.cpu.toFixed(2)}), of read_csv alone ${ratioToReadCsv.wall.toFixed(2)} (CPU ${ratioToReadCsv.cpu.toFixed(2)}); at most ${REQUIRED}`,
  );
  return summary;
}

function inverse({ wall, cpu }: Seconds): Seconds {
  return { wall: 1 / wall, cpu: 1 / cpu };
}

/** CPU time and peak memory are the kernel's own account of the child, as `time -v` prints it. */
async function run(
  file: string,
  args: readonly string[],
): Promise<{ out: string; seconds: Seconds; peakBytes: number }> {
  const usage = join(directory, 'usage');
  const child = spawn('/usr/bin/time', ['-o', usage, '-f', '%e %U %S %M', file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...ONE_THREAD },
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  const started = performance.now();
  const code = await new Promise((resolve) => child.once('close', resolve));
  const wall = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${file} ended with ${code}`);
  const [, user, system, kilobytes] = readFileSync(usage, 'utf8').trim().split(' ').map(Number);
  return { out, seconds: { wall, cpu: (user ?? 0) + (system ?? 0) }, peakBytes: (kilobytes ?? 0) * 1024 };
}
