import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { busySeries, SMALL_SCHEMA, smallSeries } from '../../support/series.ts';

/** A replay judges its first rows before it plays one: they are written at once. */
const FIRST_ROWS = 100;
/** Written ahead of their time, so that no row is late. */
const AHEAD_ROWS = 3;

/** What a replaying agent samples, through a pipe: what its host does next is decided while it runs. Linux. */
export class Feed {
  readonly #fd: number;
  readonly #calm: readonly Float64Array[];
  readonly #busy: readonly Float64Array[];
  readonly #startMs = Date.now();
  readonly #intervalMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #fromRow: number;
  #row = 0;
  #isBusy = false;

  /** @param series the host's, which goes on at `fromRow` */
  constructor(
    path: string,
    series: { readonly seed: number; readonly fromRow: number; readonly rows: number },
    intervalMs: number,
  ) {
    const { seed, fromRow, rows } = series;
    rmSync(path, { force: true });
    if (spawnSync('mkfifo', [path]).status !== 0) throw new Error(`mkfifo ${path} failed`);
    // Read and write: it opens before the agent does. Not blocking: an agent that reads no more is a fault here.
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#calm = smallSeries(fromRow + rows, seed);
    this.#busy = busySeries(fromRow + rows, seed, () => true);
    this.#fromRow = fromRow;
    this.#intervalMs = intervalMs;
    writeSync(this.#fd, `timestamp,${SMALL_SCHEMA.map(({ name }) => name).join(',')}\n`);
    this.#write(FIRST_ROWS);
    this.#timer = setInterval(() => {
      this.#write(Math.floor((Date.now() - this.#startMs) / intervalMs) + AHEAD_ROWS);
    }, intervalMs);
  }

  /** From its next rows on, this host does what it never did before. */
  becomeBusy(): void {
    this.#isBusy = true;
  }

  #write(upTo: number): void {
    for (; this.#row < upTo; this.#row++) {
      const at = new Date(this.#startMs + this.#row * this.#intervalMs).toISOString();
      const values = (this.#isBusy ? this.#busy : this.#calm).map((column) => {
        const value = column[this.#fromRow + this.#row];
        if (value === undefined) throw new Error('the feed is at its end');
        return value;
      });
      writeSync(this.#fd, `${[at, ...values].join(',')}\n`);
    }
  }

  /** The agent comes to the end of what it replays. */
  close(): void {
    clearInterval(this.#timer);
    closeSync(this.#fd);
  }
}
