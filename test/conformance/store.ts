import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { comparePending } from '../../agent/store/events-out.ts';
import type { IncidentRow, NewEvent, Store, StoreLimits } from '../../agent/store/store.ts';
import { DEFAULT_STORE_LIMITS, SAMPLE_EXCLUDED, SAMPLE_IN_INCIDENT } from '../../agent/store/store.ts';
import type { StoredEvent } from '../../core/protocol/events.ts';
import { agentEvent, alert, tombstonesOf } from '../store/drafts.ts';

const numbers = (events: readonly StoredEvent[]): number[] => events.map((event) => event.sequence.n);

function incident(id: string, openedAtMs: number, resolvedAtMs: number | null = null): IncidentRow {
  return { id, state: 'opened', severity: 'info', openedAtMs, resolvedAtMs, data: '{}' };
}

/** Every Store passes this. `open` gives a fresh one. */
export function storeConformance(name: string, open: (limits: StoreLimits) => Store): void {
  describe(`store contract: ${name}`, () => {
    let store: Store;
    const reopenWith = (limits: Partial<StoreLimits>): void => {
      store.close();
      store = open({ ...DEFAULT_STORE_LIMITS, ...limits });
    };
    beforeEach(() => {
      store = open(DEFAULT_STORE_LIMITS);
    });
    afterEach(() => store.close());
    const append = (timeMs: number, ...values: number[]): void =>
      store.appendSample({ timeMs, values: Float64Array.from(values), score: Number.NaN, flags: 0 });

    it('gives samples back to the bit, NaN payloads included', () => {
      const bits = new BigUint64Array([
        0x7ff8dead_beef0001n,
        0x80000000_00000000n,
        0x1n,
        0x3fd5555555555555n,
      ]);
      const values = new Float64Array(bits.buffer);
      store.appendSample({ timeMs: 5, values, score: 0.1 + 0.2, flags: 4 });
      store.appendSample({ timeMs: 6, values: new Float64Array(0), score: Number.NaN, flags: 0 });
      const [first, second] = store.lastSamples(2);
      expect(new BigUint64Array(first!.values.slice().buffer)).toEqual(bits);
      expect(first).toMatchObject({ timeMs: 5, score: 0.1 + 0.2, flags: 4 });
      expect(second!.score).toBeNaN();
      expect(second!.values).toHaveLength(0);
    });

    it('keeps no reference to the caller’s array, and takes a view into a larger one', () => {
      const shared = Float64Array.of(9, 1, 2, 9);
      store.appendSample({ timeMs: 1, values: shared.subarray(1, 3), score: 0, flags: 0 });
      shared.fill(7);
      expect([...store.lastSamples(1)[0]!.values]).toEqual([1, 2]);
    });

    it('reads a half-open time range, oldest first, in pages, while rows are written', () => {
      for (let t = 300; t > 0; t--) append(t, t);
      const seen: number[] = [];
      for (const row of store.samples(10, 291)) {
        seen.push(row.timeMs);
        if (row.timeMs === 20) append(1_000, 1);
      }
      expect(seen).toEqual(Array.from({ length: 281 }, (_, i) => 10 + i));
      expect(store.sampleCount()).toBe(301);
      expect(store.lastSamples(2).map((row) => row.timeMs)).toEqual([300, 1_000]);
      expect(store.lastSamples(0)).toEqual([]);
    });

    it('replaces a sample of the same millisecond', () => {
      append(7, 1);
      expect(store.sampleCount()).toBe(1);
      append(7, 2);
      expect(store.sampleCount()).toBe(1);
      expect([...store.lastSamples(5)[0]!.values]).toEqual([2]);
    });

    it('adds flags to a range and keeps the others', () => {
      for (const t of [1, 2, 3]) append(t, 0);
      store.flagSamples(1, 3, SAMPLE_IN_INCIDENT);
      store.flagSamples(2, 4, SAMPLE_EXCLUDED);
      expect(store.lastSamples(3).map((row) => row.flags)).toEqual([1, 3, 2]);
    });

    it('numbers events from 1 without gaps, and hands the number to data', () => {
      const first = store.commitTransition({ events: [agentEvent(), alert('info')] });
      const second = store.commitTransition({ events: [alert('critical')] });
      expect(numbers([...first, ...second])).toEqual([1, 2, 3]);
      expect(first[1]!.id).toBe(`${store.epoch}-2`);
      expect(JSON.parse(second[0]!.data).sequence).toEqual({ epoch: store.epoch, n: 3 });
      expect(store.events(1, 1)).toEqual([first[1]]);
      expect(store.events(0, 10, 'another')).toEqual([]);
    });

    it('takes nothing of a transition whose data throws, and doesn’t use up its number', () => {
      store.registerSinks(['a']);
      const bad: NewEvent = {
        ...agentEvent(),
        data: () => {
          throw new Error('no');
        },
      };
      const change = { events: [agentEvent(), bad], state: { k: 'v' } };
      expect(() => store.commitTransition(change)).toThrow('no');
      expect(store.outbox('a')).toMatchObject({ pending: 0, bytes: 0 });
      expect(store.getState('k')).toBeNull();
      expect(numbers(store.commitTransition({ events: [agentEvent()] }))).toEqual([1]);
    });

    it('commits incidents and state with the events', () => {
      store.putState('k', 'before');
      store.commitTransition({
        events: [],
        incidents: () => [incident('b1', 5), incident('b2', 9)],
        state: { k: 'after' },
      });
      store.commitTransition({
        events: [],
        incidents: () => [{ ...incident('b1', 5, 8), state: 'resolved' }],
      });
      expect(store.getState('k')).toBe('after');
      expect(store.incidents(10).map((row) => [row.id, row.state])).toEqual([
        ['b2', 'opened'],
        ['b1', 'resolved'],
      ]);
      expect(store.incident('b1')?.resolvedAtMs).toBe(8);
      expect(store.incident('b2')?.id).toBe('b2');
      expect(store.incident('b')).toBeNull();
      expect(store.incident('')).toBeNull();
      expect(store.incident('c')).toBeNull();
    });

    it('says which incident stood at a time, both ends included, the newest first', () => {
      const rows = [incident('a', 10, 20), incident('b', 15, 30), incident('c', 40), incident('d', 40, 41)];
      store.commitTransition({ events: [], incidents: () => rows });
      const during = (fromMs: number, toMs = fromMs): string | undefined =>
        store.incidentDuring(fromMs, toMs)?.id;
      expect([0, 9, 10, 14, 15, 20, 30, 31, 39, 40, 99].map((ms) => during(ms))).toEqual([
        ...[undefined, undefined, 'a', 'a', 'b', 'b', 'b', undefined, undefined, 'd', 'c'],
      ]);
      expect([during(0, 9), during(0, 10), during(21, 39), during(31, 39), during(12, 50)]).toEqual([
        ...[undefined, 'a', 'b', undefined, 'd'],
      ]);
    });

    it('hands out alerts by severity first, then the rest, until settled', () => {
      store.registerSinks(['a', 'b']);
      store.commitTransition({
        events: [agentEvent(), alert('info'), alert('critical'), alert('warning'), agentEvent()],
      });
      const all = store.pending('a', 10);
      expect(numbers(all)).toEqual([3, 4, 2, 1, 5]);
      expect(numbers(store.pending('a', 2))).toEqual([3, 4]);
      expect([...all].sort(comparePending)).toEqual(all);
      const settled = [
        all[0]!.sequence,
        all[0]!.sequence,
        { epoch: store.epoch, n: 99 },
        { epoch: 'x', n: 1 },
      ];
      store.settle('a', settled, []);
      store.settle('nobody', settled, []);
      expect(numbers(store.pending('a', 10))).toEqual([4, 2, 1, 5]);
      expect(store.outbox('a').pending).toBe(4);
      expect(store.outbox('b').pending).toBe(5);
      expect(store.pending('nobody', 10)).toEqual([]);
    });

    it('gives a new sink events from now on', () => {
      store.commitTransition({ events: [agentEvent()] });
      store.registerSinks(['a']);
      expect(store.pending('a', 10)).toEqual([]);
      expect(store.outbox('a')).toEqual({
        pending: 0,
        bytes: 0,
        dropped: 0,
        poisoned: 0,
        oldestTimeMs: null,
      });
      store.commitTransition({ events: [agentEvent(0, 77), alert('critical', 0, 99)] });
      expect(store.outbox('a')).toMatchObject({ pending: 2, oldestTimeMs: 77 });
    });

    it('sets poison aside, lists it, and reports it once', () => {
      store.registerSinks(['a']);
      store.commitTransition({ events: [agentEvent(), alert('info')] });
      store.settle('a', [], [{ sequence: { epoch: store.epoch, n: 2 }, reason: 'too large' }]);
      expect(store.outbox('a')).toMatchObject({ pending: 1, poisoned: 1 });
      expect(store.poisoned('a', 5).map((p) => [p.event.sequence.n, p.reason])).toEqual([[2, 'too large']]);
      const waiting = store.pending('a', 10);
      expect(tombstonesOf(waiting, 'a')).toMatchObject([{ reason: 'refused', ranges: [[2, 2]], count: 1 }]);
      // A sink that refuses the tombstone too isn't sent another.
      store.settle(
        'a',
        [],
        waiting.map(({ sequence }) => ({ sequence, reason: 'no' })),
      );
      store.settle(
        'a',
        store.pending('a', 10).map((event) => event.sequence),
        [],
      );
      expect(store.pending('a', 10)).toEqual([]);
    });

    it('drops the least important, oldest first, and says so to every sink', () => {
      reopenWith({ outboxMaxBytesPerSink: 2_500 });
      store.registerSinks(['down', 'up']);
      const drafts = [
        agentEvent(300),
        alert('info', 300),
        alert('critical', 300),
        agentEvent(300),
        alert('info', 300),
      ];
      for (const each of [...drafts, alert('warning', 300), alert('warning', 300), alert('warning', 300)]) {
        store.commitTransition({ events: [each] });
        const up = store.pending('up', 100);
        store.settle(
          'up',
          up.map((event) => event.sequence),
          [],
        );
        expect(store.outbox('down').bytes).toBeLessThanOrEqual(2_500);
      }
      // 1 and 4 (agent events), 2 and 5 (info) went; the critical and the warnings stayed.
      expect(store.outbox('down')).toMatchObject({ dropped: 4, pending: 4 });
      const waiting = store.pending('down', 100);
      const about = tombstonesOf(waiting, 'down');
      expect(about).toHaveLength(1);
      expect(about[0]).toMatchObject({
        schemaVersion: 1,
        epoch: store.epoch,
        reason: 'outbox-full',
        count: 4,
      });
      expect(about[0]!.ranges).toEqual([
        [1, 2],
        [4, 5],
      ]);
      expect(about[0]!.sequence).toEqual({ epoch: store.epoch, n: 9 });
      expect(tombstonesOf(store.pending('up', 100), 'down')).toEqual(about);
      expect(store.outbox('up').dropped).toBe(0);
    });

    it('never drops a sink’s own tombstone, and keeps at most one round of them waiting', () => {
      reopenWith({ outboxMaxBytesPerSink: 1_500 });
      store.registerSinks(['down']);
      for (let i = 0; i < 50; i++) {
        store.commitTransition({ events: [agentEvent(400)] });
        const waiting = store.pending('down', 100);
        expect(tombstonesOf(waiting, 'down').length).toBeLessThanOrEqual(1);
      }
      const first = store.pending('down', 100);
      store.settle(
        'down',
        first.map((event) => event.sequence),
        [],
      );
      const second = store.pending('down', 100);
      const told = tombstonesOf([...first, ...second], 'down');
      expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(store.outbox('down').dropped);
    });

    it('reports what a removed sink leaves behind, to the others now and to itself when it returns', () => {
      store.registerSinks(['a', 'b']);
      store.commitTransition({ events: [agentEvent(), agentEvent()] });
      store.settle('b', [{ epoch: store.epoch, n: 1 }], []);
      store.registerSinks(['a']);
      expect(store.outbox('b')).toMatchObject({ pending: 0, bytes: 0, dropped: 1 });
      expect(tombstonesOf(store.pending('a', 10), 'b')).toMatchObject([
        { reason: 'sink-removed', ranges: [[2, 2]] },
      ]);
      store.commitTransition({ events: [agentEvent()] });
      store.registerSinks(['a', 'b']);
      store.registerSinks(['b', 'a']);
      const told = tombstonesOf(store.pending('b', 10), 'b');
      expect(told).toMatchObject([
        { reason: 'sink-absent', ranges: [[3, 4]], count: 2 },
        { reason: 'sink-removed', ranges: [[2, 2]], count: 1 },
      ]);
    });

    it('forgets by age, never what a sink waits for', () => {
      reopenWith({ sampleRetentionMs: 100, eventRetentionMs: 1_000 });
      store.registerSinks(['a']);
      for (const t of [1, 50, 150]) append(t, 0);
      store.commitTransition({
        events: [agentEvent(0, 10), agentEvent(0, 20)],
        incidents: () => [incident('i', 1, 2)],
      });
      store.settle('a', [{ epoch: store.epoch, n: 1 }], []);
      expect(store.maintain(200)).toEqual({ samples: 2, events: 0 });
      expect(store.maintain(5_000)).toEqual({ samples: 1, events: 1 });
      expect(store.sampleCount()).toBe(0);
      expect(numbers(store.pending('a', 10))).toEqual([2]);
      expect(store.incidents(5)).toEqual([]);
      expect(numbers(store.commitTransition({ events: [agentEvent()] }))).toEqual([3]);
    });

    it('forgets by bytes, samples first', () => {
      reopenWith({ databaseMaxBytes: 1_000_000 });
      for (let t = 0; t < 6_000; t++) append(t, ...new Array<number>(40).fill(t));
      store.commitTransition({ events: [agentEvent()] });
      for (let run = 0; run < 20; run++) store.maintain(10_000);
      expect(store.bytes()).toBeLessThan(2_500_000);
      expect(store.sampleCount()).toBeGreaterThan(500);
      expect(store.sampleCount()).toBeLessThan(5_000);
      expect(store.lastSamples(1)[0]!.timeMs).toBe(5_999);
      expect(store.events(0, 5)).toHaveLength(1);
    });
  });
}
