import type { Source } from '../../collector/source.ts';
import type { Random } from '../../core/random.ts';
import type { Sample } from '../../core/sample.ts';
import { SMALL_SCHEMA, smallSeries } from '../support/series.ts';
import type { SimulatedClock } from './clock.ts';

const SERIES_ROWS = 2880;
const SERIES = smallSeries(SERIES_ROWS, 5);

/** A host that is calm, at times busy as never before, and whose readings may fail, hang or miss values. */
export class SimulatedSource implements Source {
  readonly kind = 'procfs';
  readonly schema = SMALL_SCHEMA;
  readonly #clock: SimulatedClock;
  readonly #random: Random;
  #row: number;
  busy = false;
  fault: 'none' | 'throws' | 'hangs' | 'missing' = 'none';

  constructor(clock: SimulatedClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.#row = random.uint32() % SERIES_ROWS;
  }

  async open(): Promise<void> {}

  read(): Promise<Sample | null> {
    const row = this.#row++ % SERIES_ROWS;
    if (this.fault === 'throws') return Promise.reject(new Error('no /proc today'));
    const values = Float64Array.from(SERIES, (column) => column[row] as number);
    if (this.busy) values[0] = 90 + this.#random.float();
    if (this.fault === 'missing') values[this.#random.uint32() % values.length] = Number.NaN;
    const sample = { timeMs: this.#clock.nowMs(), values };
    if (this.fault !== 'hangs') return Promise.resolve(sample);
    return new Promise((resolve) => void this.#clock.setTimer(() => resolve(sample), 20_000));
  }

  async close(): Promise<void> {}

  faults(): Readonly<Record<string, number>> {
    return {};
  }

  describe(): string {
    return 'a simulated host';
  }
}
