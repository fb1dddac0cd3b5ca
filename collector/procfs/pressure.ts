import { type CounterRepairs, clampPercent, counterDelta, usableElapsed } from '../counter.ts';
import { type Family, position, type Reading } from './family.ts';
import { ProcFile } from './file.ts';
import { Scanner } from './scan.ts';

/** Microseconds in which at least one task waited (`some … total=`), or NaN. */
export function parsePressure(text: string): number {
  if (!text.startsWith('some ')) return Number.NaN;
  const end = text.indexOf('\n');
  const at = text.indexOf('total=');
  if (at < 0 || (end >= 0 && at > end)) return Number.NaN;
  return new Scanner(text, at + 6).number();
}

/** Percent of the elapsed time in which something waited. Fresher than avg10, and exact for any interval. */
export function pressurePercent(
  previousMicros: number,
  currentMicros: number,
  elapsedMs: number,
  repairs: CounterRepairs,
): number {
  if (!usableElapsed(elapsedMs)) return Number.NaN;
  return clampPercent(counterDelta(previousMicros, currentMicros, repairs) / (elapsedMs * 10));
}

const NAMES = ['cpu', 'memory', 'io'] as const;

interface Gauge {
  readonly file: ProcFile;
  readonly position: number;
  previousMicros: number;
}

export class PressureFamily implements Family {
  readonly name = 'pressure';
  readonly #gauges: readonly Gauge[];

  /** `pathOf`: the host's /proc/pressure/cpu, or a cgroup's cpu.pressure. */
  constructor(pathOf: (name: string) => string) {
    this.#gauges = NAMES.map((name) => ({
      file: new ProcFile(pathOf(name), 512),
      position: position(`pressure_${name}`),
      previousMicros: Number.NaN,
    }));
  }

  read({ values, elapsedMs, faults }: Reading): void {
    const repairs = { wrapped: 0, reset: 0 };
    let failure: unknown;
    for (const gauge of this.#gauges) {
      const previous = gauge.previousMicros;
      gauge.previousMicros = Number.NaN;
      try {
        const micros = parsePressure(gauge.file.read());
        if (Number.isNaN(micros)) throw new Error(`${gauge.file.path} has no "some" total`);
        gauge.previousMicros = micros;
        values[gauge.position] = pressurePercent(previous, micros, elapsedMs, repairs);
      } catch (error) {
        failure = error;
      }
    }
    faults.add('counterWrapped', repairs.wrapped);
    faults.add('counterReset', repairs.reset);
    if (failure) throw failure;
  }

  close(): void {
    for (const gauge of this.#gauges) gauge.file.close();
  }
}
