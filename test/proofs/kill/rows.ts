import { Random } from '../../../core/random.ts';

/** A host in which one metric after another leaves its constant, so that about ten events a second come. */

const ROW_MS = 2;
const CONSTANTS = 6;
/** Rows from one departure to the next: the incident has to be over by then. */
const PERIOD = 100;
const STEPS = 24;
const HOUR_MS = 3_600_000;
const START_MS = 1_700_000_000_000;
const TRAINING_ROWS = 600;

const HEADER = `timestamp,cpu,memory,${Array.from({ length: CONSTANTS }, (_, i) => `c${i}`).join(',')}`;

function rows(
  count: number,
  startMs: number,
  stepMs: number,
  constant: (row: number, i: number) => number,
): string {
  const random = new Random(startMs % 1e9);
  const lines = [HEADER];
  for (let row = 0; row < count; row++) {
    const constants = Array.from({ length: CONSTANTS }, (_, i) => constant(row, i));
    lines.push(
      [startMs + row * stepMs, 20 + 5 * random.float(), 40 + random.float(), ...constants].join(','),
    );
  }
  return `${lines.join('\n')}\n`;
}

export const trainingRows = (): string => rows(TRAINING_ROWS, START_MS, 100, () => 0);

/** Every PERIOD rows another metric is away for four, further than it ever was; then all is quiet to the end. */
export function eventfulRows(round: number): string {
  return rows(PERIOD * (STEPS + 3), START_MS + round * HOUR_MS, ROW_MS, (row, i) => {
    const step = Math.floor(row / PERIOD) - 1;
    const away = step >= 0 && step < STEPS && step % CONSTANTS === i && row % PERIOD < 4;
    return away ? round * STEPS + step + 1 : 0;
  });
}

/** The same without an end to it, at another pace. */
export function steadyRows(round: number, count: number, rowMs: number): string {
  return rows(count, START_MS + round * HOUR_MS, rowMs, (row, i) => {
    const step = Math.floor(row / PERIOD) - 1;
    const away = step >= 0 && step % CONSTANTS === i && row % PERIOD < 4;
    return away ? round * STEPS + step + 1 : 0;
  });
}
