import type { Clock } from '../collector/source.ts';
import type { StoredEvent } from '../core/protocol/events.ts';
import { neverStoredEvent } from './events.ts';
import type { IncidentRow, NewEvent, Store } from './store/store.ts';

/** Events kept in memory while the disk is full; the oldest go first. */
const MAX_UNSTORED = 64;

/** An event on its way into the store, and the incident row that goes with it. */
export interface Change {
  readonly event: NewEvent;
  readonly row: ((stored: StoredEvent) => IncidentRow) | null;
}

export interface CommitDependencies {
  readonly store: Store;
  readonly clock: Clock;
  /** What has to survive a restart, as it stands now. */
  readonly documents: () => Record<string, string>;
  readonly stored: (events: readonly StoredEvent[]) => void;
  /** Told of a full disk; throws what is none. */
  readonly degrade: (error: unknown) => void;
}

/**
 * The way of events into the store: events, incident rows and the reducer's state in one durable transaction, in the
 * order in which they happened. What a full disk refuses is offered again; what is being found out about an incident
 * that just opened is waited for.
 */
export class Commits {
  readonly #deps: CommitDependencies;
  /** What the store has not taken yet, oldest first. */
  #unstored: Change[] = [];
  /** Left out of `#unstored` for want of room, and no event says so yet. */
  #lostUntold = 0;
  #holds = 0;
  lost = 0;

  constructor(deps: CommitDependencies) {
    this.#deps = deps;
  }

  /** Whether something has happened that the store doesn't know of: then no state that has moved on may be saved. */
  get waiting(): boolean {
    return this.#unstored.length > 0;
  }

  commit(event: NewEvent, row: Change['row'] = null): void {
    this.#unstored.push({ event, row });
    this.flush();
  }

  /** From here on nothing is stored, until what is returned is called. */
  hold(): () => void {
    this.#holds++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holds--;
      this.flush();
    };
  }

  /** At the end: nothing is waited for any more. */
  finish(): void {
    this.#holds = 0;
    this.flush();
  }

  flush(): void {
    if (this.#holds > 0 || this.#unstored.length === 0) return;
    const { store, clock, documents, stored, degrade } = this.#deps;
    const lost = this.#lostUntold;
    const changes: Change[] =
      lost === 0
        ? this.#unstored
        : [{ event: neverStoredEvent(lost, clock.nowMs()), row: null }, ...this.#unstored];
    let events: StoredEvent[];
    try {
      events = store.commitTransition({
        events: changes.map(({ event }) => event),
        incidents: (numbered) => numbered.flatMap((event, i) => changes[i]?.row?.(event) ?? []),
        state: documents(),
      });
    } catch (error) {
      degrade(error);
      while (this.#unstored.length > MAX_UNSTORED) {
        this.#unstored.shift();
        this.lost++;
        this.#lostUntold++;
      }
      return;
    }
    this.#unstored = [];
    this.#lostUntold = 0;
    stored(events);
  }
}
