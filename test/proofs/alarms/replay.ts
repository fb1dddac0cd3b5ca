import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AlertData } from '../../../core/protocol/events.ts';
import { runExecutable } from '../../support/executable.ts';
import { type Series, toCsv } from './series.ts';

/**
 * What the packaged agent says of a series: it learns from the training part, then watches the test part, all at full
 * pace. @throws Error where it does not end well
 */
export async function replay(series: Series, options: readonly string[] = []): Promise<AlertData[]> {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-replay-'));
  try {
    const file = join(work, 'series.csv');
    writeFileSync(file, toCsv(series));
    const warmupMs = (series.timesMs[series.testFrom] as number) - (series.timesMs[0] as number);
    const run = runExecutable([
      'agent',
      '--source',
      `replay:${file}`,
      '--pace',
      'max',
      '--interval',
      `${series.intervalMs}ms`,
      '--warmup',
      `${warmupMs}ms`,
      '--refit',
      'off',
      '--stdout',
      '--state-dir',
      join(work, 'state'),
      '--log-format',
      'json',
      ...options,
    ]);
    const code = await run.ended;
    if (code !== 0)
      throw new Error(`${series.set} ${series.name}: the agent ended with ${code}: ${run.stderr()}`);
    return run
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; data: AlertData })
      .filter((event) => event.type === 'edgewood.incident')
      .map((event) => event.data);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
