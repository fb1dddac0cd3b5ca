import { HOST_METRICS, type Metric, type MetricSchema, type Sample } from '../core/sample.ts';
import { type Sleep, systemClock, systemSleep } from './clock.ts';
import { Faults } from './faults.ts';
import { ReplayFile, type ReplayRow } from './replay-file.ts';
import { type Clock, type Source, SourceError } from './source.ts';

export interface ReplayOptions {
  /** CSV files (also .gz), played one after the other; they must have the same feature columns. */
  readonly files: readonly string[];
  /** `realtime` waits as the timestamps say. Default: max. */
  readonly pace?: 'max' | 'realtime';
  /** Realtime only: 60 plays an hour in a minute. */
  readonly speed?: number;
  readonly maxRows?: number;
  readonly clock?: Clock;
  readonly sleep?: Sleep;
}

/** A longer jump is first taken for a damaged timestamp, which would make all rows after it "backwards". */
const JUMP_MS = 366 * 86_400_000;

/**
 * The schema of a header: known names keep unit and label. Scale and noise floor are 0 (taken from the data): a
 * file's `cpu` may be a share of 1 as well as a percentage.
 */
export function replaySchema(features: readonly string[]): MetricSchema {
  return features.map((name): Metric => {
    const known = HOST_METRICS.find((metric) => metric.name === name);
    return known
      ? { ...known, scale: 0, noiseFloor: 0 }
      : { name, unit: 'value', scale: 0, noiseFloor: 0, label: name };
  });
}

/**
 * Recorded data as a Source. Times strictly increase in what it gives: rows that stand still or go backwards are
 * skipped and counted (timestampDuplicate, timestampBackwards, timestampJump).
 */
export class ReplaySource implements Source {
  readonly kind = 'replay';
  readonly #options: ReplayOptions;
  readonly #clock: Clock;
  readonly #sleep: Sleep;
  readonly #faults = new Faults();
  readonly #aborter = new AbortController();
  #schema: MetricSchema = [];
  #files: ReplayFile[] = [];
  #current = 0;
  #rows = 0;
  #label: number | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #jumpMs = Number.NaN;
  #rowsBefore = 0;
  #startMs = Number.NaN;
  #startedMs = Number.NaN;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#sleep = options.sleep ?? systemSleep;
  }

  get schema(): MetricSchema {
    return this.#schema;
  }

  async open(): Promise<void> {
    const { files, speed = 1 } = this.#options;
    if (files.length === 0)
      throw new SourceError('replay: names no file. Expected replay:FILE or replay:FILE,FILE.');
    if (!(speed > 0)) throw new SourceError(`replay: speed ${speed} is not above 0.`);
    try {
      for (const path of files) {
        const file = new ReplayFile(path, this.#faults);
        await file.open();
        this.#files.push(file);
        this.#match(file);
      }
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #match(file: ReplayFile): void {
    const first = this.#files[0]!;
    if (file === first) {
      this.#schema = replaySchema(file.features);
      return;
    }
    const missing = first.features.filter((name) => !file.features.includes(name));
    const extra = file.features.filter((name) => !first.features.includes(name));
    if (missing.length + extra.length > 0)
      throw new SourceError(
        `${file.path}, line 1: its features differ from those of ${first.path} (missing: ${list(missing)}; only here: ${list(extra)}). Give all files the same columns.`,
      );
    file.order(first.features);
  }

  async read(): Promise<Sample | null> {
    for (;;) {
      if (this.#rows >= (this.#options.maxRows ?? Number.POSITIVE_INFINITY)) return this.#end();
      const file = this.#files[this.#current];
      if (!file) return this.#end();
      const row = await file.next();
      if (this.#aborter.signal.aborted) return null;
      if (!row) {
        await file.close();
        this.#current++;
        // Empty, or wholly before the file that came first.
        if (this.#rows === this.#rowsBefore) this.#faults.add('fileWithoutRows');
        this.#rowsBefore = this.#rows;
        continue;
      }
      if (!this.#inOrder(row)) continue;
      this.#lastMs = row.timeMs;
      if (this.#options.pace === 'realtime') await this.#wait(row.timeMs);
      if (this.#aborter.signal.aborted) return null;
      this.#rows++;
      this.#label = row.label;
      return { timeMs: row.timeMs, values: row.values };
    }
  }

  #inOrder({ timeMs }: ReplayRow): boolean {
    if (timeMs === this.#lastMs) {
      this.#faults.add('timestampDuplicate');
      return false;
    }
    if (timeMs < this.#lastMs) {
      this.#faults.add('timestampBackwards');
      this.#jumpMs = Number.NaN;
      return false;
    }
    if (timeMs - this.#lastMs > JUMP_MS && this.#lastMs !== Number.NEGATIVE_INFINITY) {
      // Two rows that agree on the new time are believed.
      const agreed = Math.abs(timeMs - this.#jumpMs) <= JUMP_MS;
      this.#jumpMs = timeMs;
      if (!agreed) this.#faults.add('timestampJump');
      return agreed;
    }
    this.#jumpMs = Number.NaN;
    return true;
  }

  async #wait(timeMs: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (Number.isNaN(this.#startMs)) {
      this.#startMs = timeMs;
      this.#startedMs = nowMs;
    }
    const dueMs = this.#startedMs + (timeMs - this.#startMs) / (this.#options.speed ?? 1);
    if (dueMs > nowMs) await this.#sleep(dueMs - nowMs, this.#aborter.signal);
  }

  #end(): null {
    this.#label = undefined;
    return null;
  }

  async close(): Promise<void> {
    this.#aborter.abort();
    for (const file of this.#files) await file.close();
    this.#files = [];
  }

  faults(): Readonly<Record<string, number>> {
    return this.#faults.counts();
  }

  describe(): string {
    const { files, pace = 'max', speed = 1 } = this.#options;
    const how = pace === 'max' ? 'as fast as it goes' : `in real time${speed === 1 ? '' : ` x ${speed}`}`;
    return `replay of ${files.join(', ')}, ${how}`;
  }

  label(): number | undefined {
    return this.#label;
  }
}

const list = (names: readonly string[]): string =>
  names.length === 0 ? 'none' : names.slice(0, 10).join(', ');
