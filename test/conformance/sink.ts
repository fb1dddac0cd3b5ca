import { describe, expect, test } from 'vitest';
import type { Sink } from '../../agent/sinks/sink.ts';
import { MAX_EVENT_BYTES } from '../../core/protocol/limits.ts';
import { HEALTH, storedEvent } from '../support/sinks.ts';

/** A sink under test, not yet started, and the far side that it delivers to. */
export interface SinkFixture {
  readonly sink: Sink;
  /** The next event that the far side has taken. */
  next(): Promise<{ id: string }>;
  /** The far side takes no more, and says nothing. */
  stall(): void;
  /** The far side goes away. */
  lose(): void;
  /** Whether a lost far side comes back, and is found again. */
  readonly recovers: boolean;
}

const delivered = { outcome: 'delivered' };
const many = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => storedEvent(first + i, i % 2 === 0 ? 'info' : null));

/** Starts it; `ready()` resolves at the next onReady. */
function started({ sink }: SinkFixture): { ready(): Promise<void>; calls(): number } {
  let calls = 0;
  const waiting: (() => void)[] = [];
  sink.start(() => {
    calls++;
    for (const resolve of waiting.splice(0)) resolve();
  });
  return {
    ready: () => (sink.connected() ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    calls: () => calls,
  };
}

/** The contract of `Sink`, as its comment states it. */
export function sinkConformance(name: string, make: () => Promise<SinkFixture>, skip = false): void {
  describe.skipIf(skip)(`${name} keeps the contract of a sink`, () => {
    test('it is not connected before start, and is when onReady is called', async () => {
      const fixture = await make();
      expect(fixture.sink.connected()).toBe(false);
      await started(fixture).ready();
      expect(fixture.sink.connected()).toBe(true);
      expect(fixture.sink.status()).toMatchObject({ connected: true, lastError: null, connects: 1 });
    });

    test('a batch larger than any window settles one by one, in order, and arrives', async () => {
      const fixture = await make();
      await started(fixture).ready();
      expect(await fixture.sink.deliver([])).toEqual([]);
      const events = many(1, 50);
      expect(await fixture.sink.deliver(events)).toEqual(events.map(() => delivered));
      for (const event of events) expect((await fixture.next()).id).toBe(event.id);
    });

    test('what can never be sent is poison at its own index, and blocks nothing', async () => {
      const fixture = await make();
      await started(fixture).ready();
      const damaged = { ...storedEvent(2), data: '{"a":' };
      const large = { ...storedEvent(4), data: JSON.stringify({ text: 'é'.repeat(MAX_EVENT_BYTES / 2) }) };
      const timeless = { ...storedEvent(6, 'info'), timeMs: Number.NaN };
      const batch = [storedEvent(1), damaged, storedEvent(3), large, storedEvent(5), timeless];
      const outcomes = (await fixture.sink.deliver(batch)).map((settlement) => settlement.outcome);
      expect(outcomes).toEqual(['delivered', 'poison', 'delivered', 'poison', 'delivered', 'poison']);
      for (const id of ['e1-1', 'e1-3', 'e1-5']) expect((await fixture.next()).id).toBe(id);
    });

    test('lost in the middle of a batch: all that is open is a retry, nothing rejects', async () => {
      const fixture = await make();
      const { ready } = started(fixture);
      await ready();
      fixture.stall();
      const open = fixture.sink.deliver(many(1, 40));
      fixture.lose();
      const settlements = await open;
      expect(settlements).toHaveLength(40);
      for (const settlement of settlements)
        expect(settlement).toMatchObject({ outcome: 'retry', reason: expect.stringMatching(/./) });
      if (!fixture.recovers) {
        expect((await fixture.sink.deliver(many(1, 2))).map((s) => s.outcome)).toEqual(['retry', 'retry']);
        expect(fixture.sink.connected()).toBe(false);
        return;
      }
      await ready();
      expect(await fixture.sink.deliver(many(1, 40))).toEqual(many(1, 40).map(() => delivered));
    });

    test('close settles what is open, is idempotent, and nothing is called after it', async () => {
      const fixture = await make();
      const { ready, calls } = started(fixture);
      await ready();
      fixture.stall();
      const open = fixture.sink.deliver(many(1, 3));
      await Promise.all([fixture.sink.close(50), fixture.sink.close(50)]);
      expect((await open).map((settlement) => settlement.outcome)).toEqual(['retry', 'retry', 'retry']);
      await fixture.sink.close(50);
      fixture.lose();
      expect(fixture.sink.connected()).toBe(false);
      expect((await fixture.sink.deliver([storedEvent(9)]))[0]?.outcome).toBe('retry');
      expect(calls()).toBe(1);
    });

    test('close before start, and before it is connected', async () => {
      const unstarted = await make();
      await unstarted.sink.close(50);
      const fixture = await make();
      fixture.sink.start(() => {});
      await fixture.sink.close(50);
      expect(fixture.sink.connected()).toBe(false);
    });

    test('telemetry is taken at any time, and never throws', async () => {
      const fixture = await make();
      const batch = { timeMs: 1, payload: '{}', health: HEALTH };
      fixture.sink.telemetry(batch);
      await started(fixture).ready();
      fixture.sink.telemetry(batch);
      await fixture.sink.close(200);
      fixture.sink.telemetry(batch);
      expect(() => JSON.stringify(fixture.sink.status())).not.toThrow();
    });
  });
}
