/**
 * `npm run bench:train`: the packaged executable trains on two, five and twenty million rows of three metrics: seconds,
 * CPU and peak memory. Needs Debian's `time`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelRecord } from '../../models/record.ts';
import { circumstances, writeResult } from '../proofs/proof.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { run, writeCsv } from './metered.ts';

const ROWS = [2_000_000, 5_000_000, 20_000_000] as const;
const PEAK_MB_MAX = 300;

const directory = mkdtempSync(join(tmpdir(), 'edgewood-bench-train-'));
try {
  const runs = [];
  for (const rows of ROWS) {
    const file = await writeCsv(join(directory, 'rows.csv'), rows);
    const registry = join(directory, 'registry');
    const { out, seconds, peakBytes } = await run(EXECUTABLE, [
      ...['train', file, '--name', 'bench', '--registry', registry, '--json'],
    ]);
    const record = JSON.parse(out) as ModelRecord;
    if (record.rows?.read !== rows) throw new Error(`${record.rows?.read} of ${rows} rows were read`);
    const peakMb = peakBytes / 2 ** 20;
    runs.push({ rows, kept: record.rows.used, seconds, peakMb });
    console.log(
      `${rows} rows (${record.rows.used} kept): ${seconds.wall.toFixed(1)} s, CPU ${seconds.cpu.toFixed(1)} s, peak ${peakMb.toFixed(0)} MB (at most ${PEAK_MB_MAX})`,
    );
  }
  const result = {
    ...circumstances(),
    command: 'npm run bench:train',
    metrics: 3,
    peakMbMax: PEAK_MB_MAX,
    runs,
  };
  console.log(writeResult('benchmarks', 'train', result));
  process.exitCode = runs.every(({ peakMb }) => peakMb <= PEAK_MB_MAX) ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true });
}
