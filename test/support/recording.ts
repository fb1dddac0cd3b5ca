import { writeFileSync } from 'node:fs';
import type { Recording } from '../../models/data/recording.ts';
import { smallSeries } from './series.ts';

export const RECORDING_START_MS = 1_700_000_000_000;
export const BUSY_FROM_ROW = 400;

/** 400 calm rows, ten with a busy processor, 200 calm ones; a row each five seconds. */
export function writeRecording(path: string, startMs = RECORDING_START_MS): string {
  const columns = smallSeries(610, 5);
  const lines = ['timestamp,cpu,memory,network,swap'];
  for (let t = 0; t < 610; t++) {
    const values = columns.map((column) => column[t] as number);
    if (t >= BUSY_FROM_ROW && t < BUSY_FROM_ROW + 10) values[0] = 99;
    lines.push([startMs / 1000 + 5 * t, ...values].join(','));
  }
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

/** As a CSV file, with its labels where it has any. */
export function recordingCsv({
  names,
  timesMs,
  columns,
  labels,
}: Pick<Recording, 'names' | 'timesMs' | 'columns' | 'labels'>): string {
  const lines = [`timestamp,${names.join(',')}${labels === null ? '' : ',label'}`];
  timesMs.forEach((timeMs, row) => {
    const cells = columns.map((column) => (Number.isNaN(column[row]) ? '' : column[row]));
    lines.push(
      [new Date(timeMs).toISOString(), ...cells, ...(labels === null ? [] : [labels[row]])].join(','),
    );
  });
  return `${lines.join('\n')}\n`;
}
