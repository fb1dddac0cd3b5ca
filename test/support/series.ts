import { Random } from '../../core/random.ts';
import type { MetricSchema } from '../../core/sample.ts';

/** A small host made up of noise, a daily wave and steps: enough for a fit, the same for the same seed. */
export const SMALL_SCHEMA: MetricSchema = [
  { name: 'cpu', unit: 'percent', scale: 100, noiseFloor: 1, label: 'CPU' },
  { name: 'memory', unit: 'percent', scale: 100, noiseFloor: 0.5, label: 'memory' },
  { name: 'network', unit: 'bytesPerSecond', scale: 0, noiseFloor: 1000, label: 'network traffic' },
  { name: 'swap', unit: 'percent', scale: 100, noiseFloor: 0.5, label: 'swap' },
];

export function smallSeries(rows: number, seed: number): Float64Array[] {
  const random = new Random(seed);
  const columns = SMALL_SCHEMA.map(() => new Float64Array(rows));
  let memory = 40;
  for (let t = 0; t < rows; t++) {
    const wave = Math.abs((t % 240) - 120) / 120;
    memory += random.float() - 0.5 - (memory - 40) * 0.05;
    const values = [15 + 10 * wave + 4 * random.float(), memory, 40_000 + 30_000 * wave * random.float(), 0];
    values.forEach((x, i) => {
      (columns[i] as Float64Array)[t] = x;
    });
  }
  return columns;
}

/** The same host, with short bursts of work at the rows that `at` names. */
export function busySeries(rows: number, seed: number, at: (row: number) => boolean): Float64Array[] {
  const columns = smallSeries(rows, seed);
  const [cpu, , network] = columns as [Float64Array, Float64Array, Float64Array];
  for (let t = 0; t < rows; t++) {
    if (!at(t) || t % 40 >= 8) continue;
    cpu[t] = (cpu[t] as number) + 40;
    network[t] = (network[t] as number) + 200_000;
  }
  return columns;
}

export const PROVENANCE = {
  name: 'test',
  version: '1',
  seed: 7,
  trainedFromMs: 0,
  trainedToMs: 1000,
  rows: 2000,
  intervalMs: 5000,
  dataSha256: '00',
  toolVersion: 'test',
};
