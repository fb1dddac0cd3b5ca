import type { Clock } from '../collector/source.ts';
import type { Sample } from '../core/sample.ts';
import type { Figures } from './figures.ts';
import type { Log } from './log.ts';
import type { Outward } from './outward.ts';
import { type Store, StoreFullError } from './store/store.ts';

const SAVE_MS = 60_000;
const MAINTAIN_MS = 60_000;

export interface KeepingDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly figures: Figures;
  readonly outward: Pick<Outward, 'sampleStored'>;
  readonly counters: { notStored: number };
  /** What has to survive a restart, as it stands now. */
  readonly documents: () => Record<string, string>;
  /** Something has happened that the store doesn't know of: then no state that has moved on may be saved. */
  readonly eventsWait: () => boolean;
}

/** Samples and state on their way to the disk, and what is too old off it. A full disk costs history, not detection. */
export class Keeping {
  readonly #deps: KeepingDependencies;
  #full = false;
  #savedMs = 0;
  #maintainedMs = 0;

  constructor(deps: KeepingDependencies) {
    this.#deps = deps;
  }

  /** @param flags of the store's samples */
  sample({ timeMs, values }: Sample, score: number, flags: number): void {
    const { store, figures, outward, log } = this.#deps;
    this.#trying(() => {
      figures.time('store', () => store.appendSample({ timeMs, values, score, flags }));
      outward.sampleStored(timeMs);
      if (!this.#full) return;
      this.#full = false;
      log('info', 'store.recovered');
    });
  }

  /** Once a minute. @param sampleMs time of the last sample, by which others are old */
  nowAndThen(sampleMs: number): void {
    const { store, clock, log, documents, eventsWait } = this.#deps;
    const nowMs = clock.nowMs();
    if (Math.abs(nowMs - this.#savedMs) >= SAVE_MS && !eventsWait()) {
      this.#savedMs = nowMs;
      this.#trying(() => {
        for (const [key, value] of Object.entries(documents())) store.putState(key, value);
      });
    }
    if (Math.abs(nowMs - this.#maintainedMs) >= MAINTAIN_MS) {
      this.#maintainedMs = nowMs;
      this.#trying(() => {
        const removed = store.maintain(sampleMs);
        if (removed.samples + removed.events > 0) log('debug', 'store.retention', removed);
      });
    }
  }

  #trying(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.degrade(error);
    }
  }

  /** Of a full disk: said once, counted, over when it is over. @throws what is none */
  degrade(error: unknown): void {
    if (!(error instanceof StoreFullError)) throw error;
    this.#deps.counters.notStored++;
    if (this.#full) return;
    this.#full = true;
    this.#deps.log('error', 'store.full', { error: error.message });
  }
}
