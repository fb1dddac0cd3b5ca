import type { Acknowledgement } from '../core/protocol/acknowledgement.ts';
import { addRange, type Range, type RangeSet, rangeOf } from '../core/protocol/ranges.ts';
import { type HostState, storedOf } from './host.ts';

/** Of one message; the agent takes 1,024. */
const MAX_RANGES = 512;

/**
 * What is to be acknowledged: numbers wait until they are durably stored, and then for others of the same host. A
 * range that is told of is given as wide as it is stored: a word that was lost is repeated with the next.
 */
export class Acks {
  /** By host and epoch; not stored yet. */
  #waiting = new Map<string, Map<string, number[]>>();
  #due = new Map<string, Map<string, RangeSet>>();
  #dueCount = 0;

  get dueCount(): number {
    return this.#dueCount;
  }

  received(key: string, epoch: string, n: number): void {
    const epochs = this.#waiting.get(key) ?? new Map<string, number[]>();
    const numbers = epochs.get(epoch) ?? [];
    numbers.push(n);
    epochs.set(epoch, numbers);
    this.#waiting.set(key, epochs);
  }

  /** All that was received is stored now. @param hostOf as it was stored */
  stored(hostOf: (key: string) => HostState | undefined): void {
    for (const [key, epochs] of this.#waiting) {
      for (const [epoch, numbers] of epochs) {
        const known = storedOf(hostOf(key), epoch);
        const due = this.#due.get(key) ?? new Map<string, RangeSet>();
        const whole = numbers.reduce(
          (set, n) => addRange(set, rangeOf(known, n) ?? [n, n]),
          due.get(epoch) ?? [],
        );
        due.set(epoch, whole);
        this.#due.set(key, due);
        this.#dueCount += numbers.length;
      }
    }
    this.#waiting = new Map();
  }

  /** Documents to be sent, by host. */
  take(): { readonly key: string; readonly document: Acknowledgement & { readonly schemaVersion: 1 } }[] {
    const documents = [...this.#due].flatMap(([key, epochs]) =>
      [...epochs].flatMap(([epoch, ranges]) =>
        chunks(ranges).map((part) => ({ key, document: { schemaVersion: 1 as const, epoch, ranges: part } })),
      ),
    );
    this.#due = new Map();
    this.#dueCount = 0;
    return documents;
  }
}

function chunks(ranges: RangeSet): Range[][] {
  const parts: Range[][] = [];
  for (let at = 0; at < ranges.length; at += MAX_RANGES) parts.push(ranges.slice(at, at + MAX_RANGES));
  return parts;
}
