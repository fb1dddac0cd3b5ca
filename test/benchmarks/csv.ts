/**
 * `npm run bench:csv`: the packaged executable validates a CSV file of a million rows and three metrics; pandas reads the
 * same file (read_csv with its defaults: C engine) and does nothing else. In turns, each a process of its own; medians
 * of wall and CPU time, start-up included, and of `read_csv` alone. Needs Debian's python3-pandas.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { circumstances, writeResult } from '../proofs/proof.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { run, writeCsv } from './metered.ts';
import { median, mediansOf, needPython, PYTHON, ratiosOf, type Seconds } from './python-peer.ts';

const ROWS = 1_000_000;
const REPEATS = 7;
const REQUIRED = 1.5;

needPython('pandas', 'python3-pandas');
const directory = mkdtempSync(join(tmpdir(), 'edgewood-csv-'));
try {
  const files = {
    epoch: await writeCsv(join(directory, 'epoch.csv'), ROWS),
    iso: await writeCsv(join(directory, 'iso.csv'), ROWS, 'iso'),
  };
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
