import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Delivery } from '../../agent/delivery.ts';
import type { Settlement, Sink } from '../../agent/sinks/sink.ts';
import { MemoryStore } from '../../agent/store/memory-store.ts';
import type { StoredEvent } from '../../core/protocol/events.ts';
import { agentEvent, alert } from '../store/drafts.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Holds the caller to the contract of Sink, and answers when it is told to. */
class CheckedSink implements Sink {
  readonly name = 'checked';
  readonly kind = 'fake';
  up = true;
  closed = false;
  readonly delivered: string[] = [];
  #onReady: (() => void) | null = null;
  #open: { readonly events: readonly StoredEvent[]; readonly settle: (all: Settlement[]) => void } | null =
    null;

  start(onReady: () => void): void {
    expect(this.#onReady).toBeNull();
    this.#onReady = onReady;
    if (this.up) onReady();
  }

  connected(): boolean {
    return this.up && !this.closed;
  }

  deliver(events: readonly StoredEvent[]): Promise<Settlement[]> {
    expect(this.closed).toBe(false);
    expect(this.up).toBe(true);
    expect(this.#open).toBeNull();
    expect(events.length).toBeGreaterThan(0);
    for (const event of events) expect(this.delivered).not.toContain(event.id);
    return new Promise((settle) => {
      this.#open = { events, settle };
    });
  }

  get waiting(): readonly StoredEvent[] {
    return this.#open?.events ?? [];
  }

  /** Settles what is open: d, r, p an event; too few letters leave the rest out. */
  answer(letters: string): void {
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    const all = [...letters].slice(0, open.events.length).map((letter, i): Settlement => {
      if (letter === 'd') {
        this.delivered.push((open.events[i] as StoredEvent).id);
        return { outcome: 'delivered' };
      }
      return { outcome: letter === 'p' ? 'poison' : 'retry', reason: 'because' };
    });
    open.settle(all);
  }

  disconnect(): void {
    this.up = false;
    this.answer('r'.repeat(this.waiting.length));
  }

  connect(): void {
    this.up = true;
    this.#onReady?.();
  }

  telemetry(): void {}

  status(): ReturnType<Sink['status']> {
    return {
      name: this.name,
      kind: this.kind,
      connected: this.up,
      target: '',
      lastError: null,
      connects: 1,
      counters: {},
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.answer('r'.repeat(this.waiting.length));
  }
}

class Scene {
  readonly sink = new CheckedSink();
  readonly store: MemoryStore;
  readonly delivery: Delivery;
  readonly timers = new Map<() => void, number>();
  readonly logged: string[] = [];
  monotonicMs = 0;

  constructor() {
    let hex = 0;
    this.store = new MemoryStore({ nowMs: () => 1000, randomHex: () => String(hex++) });
    this.store.registerSinks([this.sink.name]);
    this.delivery = new Delivery(this.sink, {
      store: this.store,
      clock: { nowMs: () => 1000, monotonicMs: () => this.monotonicMs },
      random: () => 0.5,
      log: (_level, event) => void this.logged.push(event),
      setTimer: (callback, ms) => {
        this.timers.set(callback, ms);
        return () => void this.timers.delete(callback);
      },
    });
  }

  /** Started, and nothing to do yet. */
  static async idle(): Promise<Scene> {
    const it = new Scene();
    it.delivery.start();
    await turn();
    return it;
  }

  add(count: number, make = () => agentEvent()): void {
    this.store.commitTransition({ events: Array.from({ length: count }, make) });
    this.delivery.wake();
  }

  /** Lets a timer ring that is set. */
  ring(): void {
    const [first] = this.timers;
    if (first === undefined) return;
    this.timers.delete(first[0]);
    this.monotonicMs += first[1];
    first[0]();
  }

  get pending(): number {
    return this.store.outbox(this.sink.name).pending;
  }
}

describe('delivery over a store', () => {
  test('whatever the sink answers and whenever it breaks: one call at a time, nothing twice, nothing lost', async () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ answer: fc.stringMatching(/^[drp]{0,40}$/) }),
      fc.constantFrom<'ring' | 'disconnect' | 'connect' | 'wake'>('ring', 'disconnect', 'connect', 'wake'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const it = new Scene();
        it.delivery.start();
        for (const one of steps) {
          if (one === 'ring') it.ring();
          else if (one === 'disconnect') it.sink.disconnect();
          else if (one === 'connect') it.sink.connect();
          else if (one === 'wake') it.delivery.wake();
          else if ('add' in one) it.add(one.add);
          else it.sink.answer(one.answer);
          await turn();
          // One after a failure, one for the pace of the backlog.
          expect(it.timers.size).toBeLessThanOrEqual(2);
        }
        it.sink.connect();
        await turn();
        for (let i = 0; i < 1000 && it.pending > 0; i++) {
          it.ring();
          it.sink.answer('d'.repeat(40));
          await turn();
        }
        expect(it.pending).toBe(0);
        const refused = it.store.poisoned(it.sink.name, 10_000).map(({ event }) => event.id);
        const all = it.store.events(0, 10_000).map((event) => event.id);
        expect([...it.sink.delivered, ...refused].sort()).toEqual([...all].sort());
        expect(it.delivery.delivered).toBe(it.sink.delivered.length);
        expect(it.delivery.poisoned).toBe(refused.length);
        expect(it.logged).not.toContain('delivery.failed');
      }),
      { numRuns: 100 },
    );
  });

  test('alerts go first; one that is refused blocks nothing, and is told of', async () => {
    const it = new Scene();
    it.sink.up = false;
    it.delivery.start();
    it.add(2);
    it.add(1, () => alert('critical'));
    it.sink.connect();
    expect(it.sink.waiting.map((event) => event.severity)).toEqual(['critical', null, null]);
    it.sink.answer('pdd');
    await turn();
    expect(it.logged).toContain('delivery.poison');
    // The refusal itself is an event for whoever counts.
    expect(it.sink.waiting.map((event) => event.type)).toEqual(['edgewood.events.dropped']);
  });

  test('what a sink leaves unsettled is tried again', async () => {
    const it = await Scene.idle();
    it.add(3);
    it.sink.answer('d');
    await turn();
    expect(it.pending).toBe(2);
    expect([...it.timers.values()]).toEqual([500]);
  });

  test('the wait doubles up to a minute, and a success or a new connection begins anew', async () => {
    const it = await Scene.idle();
    it.add(1);
    const waits: number[] = [];
    const fail = async (): Promise<void> => {
      it.sink.answer('r');
      await turn();
      waits.push(...it.timers.values());
    };
    for (let i = 0; i < 9; i++) {
      await fail();
      it.ring();
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    await fail();
    it.sink.disconnect();
    it.sink.connect();
    expect(it.timers.size).toBe(0);
    expect(it.sink.waiting).toHaveLength(1);
    it.sink.answer('d');
    await turn();
    waits.length = 0;
    it.add(1);
    await fail();
    expect(waits).toEqual([500]);
  });

  test('what is added meanwhile goes out without being asked for again', async () => {
    const it = await Scene.idle();
    it.add(33);
    expect(it.sink.waiting).toHaveLength(32);
    it.add(5);
    it.sink.answer('d'.repeat(32));
    await turn();
    expect(it.sink.waiting).toHaveLength(6);
  });

  test('draining ends when nothing waits, or at its deadline', async () => {
    const it = await Scene.idle();
    expect(await it.delivery.drain(1000)).toBe(true);
    it.add(1);
    const drained = it.delivery.drain(1000);
    it.sink.answer('d');
    expect(await drained).toBe(true);
    it.sink.up = false;
    it.add(1);
    const unfinished = it.delivery.drain(250);
    for (let i = 0; i < 3; i++) {
      it.ring();
      await turn();
    }
    expect(await unfinished).toBe(false);
    expect(it.monotonicMs).toBe(250);
  });

  test('close: what was open stays in the store, no timer is left, nothing is begun', async () => {
    const it = await Scene.idle();
    it.add(2);
    await it.delivery.close(10);
    await turn();
    it.sink.closed = false;
    it.add(1);
    it.delivery.wake();
    await turn();
    expect(it.sink.waiting).toEqual([]);
    expect([it.pending, it.timers.size]).toEqual([3, 0]);
    const other = await Scene.idle();
    other.add(1);
    other.sink.answer('r');
    await turn();
    expect(other.timers.size).toBe(1);
    await other.delivery.close(10);
    expect(other.timers.size).toBe(0);
  });
});
