import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rangeOf } from '../../core/protocol/ranges.ts';
import {
  gapsOf,
  type HostState,
  isCloned,
  newHost,
  storedOf,
  takeEvent,
  takeStatus,
  takeTelemetry,
} from '../../hub/host.ts';
import { type InboundEvent, type InboundStatus, parseMessage } from '../../hub/inbound.ts';
import { birth, eventMessage, goodbye, incidentMessage, SITE, START_MS, will } from './messages.ts';

const observed = (message: Parameters<typeof parseMessage>[0]) => {
  const from = parseMessage(message);
  if (from === null || !('observation' in from)) throw new Error(`refused: ${JSON.stringify(from)}`);
  return from.observation;
};
const event = (epoch: string, n: number, words: Parameters<typeof eventMessage>[3] = {}): InboundEvent =>
  observed(eventMessage('h1', epoch, n, words)) as InboundEvent;
const tombstone = (n: number, ranges: readonly (readonly [number, number])[]): InboundEvent =>
  event('e1', n, {
    type: 'edgewood.events.dropped',
    data: { epoch: 'e1', ranges, sink: 'mqtt', reason: 'x', count: 1 },
  });
const host = (): HostState => newHost(SITE, 'h1', START_MS);

describe('sequence numbers', () => {
  test('under any order, duplication and loss: no number is stored twice, and each that is missing is known as missing', () => {
    const scenario = fc.record({
      count: fc.integer({ min: 1, max: 40 }),
      lost: fc.array(fc.integer({ min: 1, max: 40 })),
      named: fc.array(fc.integer({ min: 1, max: 40 })),
      order: fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      again: fc.array(fc.nat()),
    });
    fc.assert(
      fc.property(scenario, ({ count, lost, named, order, again }) => {
        const sent = Array.from({ length: count }, (_, i) => i + 1).filter((n) => !lost.includes(n));
        // The last number is a tombstone of some that were lost, and perhaps of some that were not.
        const words = named.filter((n) => n <= count);
        const all = [
          ...sent.map((n) => event('e1', n)),
          tombstone(
            count + 1,
            words.map((n): [number, number] => [n, n]),
          ),
        ];
        const delivered = [...all, ...again.map((i) => all[i % all.length] as InboundEvent)]
          .map((one) => ({ one, at: order.next().value as number }))
          .sort((a, b) => a.at - b.at);
        let state = host();
        const stored: number[] = [];
        for (const { one } of delivered) {
          const taken = takeEvent(state, one, START_MS);
          if ('refusal' in taken) throw new Error(taken.refusal);
          state = taken.host;
          if (taken.duplicate) continue;
          stored.push(one.n);
        }
        expect(new Set(stored).size).toBe(stored.length);
        expect([...stored].sort((a, b) => a - b)).toEqual([...sent, count + 1]);
        const epoch = state.epochs['e1'];
        for (const n of stored) expect(rangeOf(epoch?.stored ?? [], n)).toBeDefined();
        // Nothing missing unnamed: from the lowest that came on.
        const first = Math.min(...stored);
        const expected = Array.from({ length: count }, (_, i) => i + 1).filter(
          (n) => n >= first && !sent.includes(n) && !words.includes(n),
        );
        const gaps = gapsOf(state);
        expect(gaps.reduce((sum, gap) => sum + gap.count, 0)).toBe(expected.length);
        for (const n of expected)
          expect(gaps.some(({ ranges }) => rangeOf(ranges, n) !== undefined)).toBe(true);
        expect((epoch?.gapSinceMs ?? null) === null).toBe(expected.length === 0);
      }),
    );
  });

  test('random numbers do not fill the memory, and old epochs are forgotten', () => {
    let state = host();
    let refused = 0;
    for (let n = 1; n <= 10_000; n += 2) {
      const taken = takeEvent(state, event('e1', n), START_MS);
      if ('refusal' in taken) refused++;
      else state = taken.host;
    }
    expect(refused).toBeGreaterThan(2900);
    expect(state.epochs['e1']?.stored.length).toBe(2048);
    // Whoever numbers in order is taken, whatever was before.
    state = host();
    for (let i = 0; i < 40; i++) {
      const taken = takeEvent(state, event(`f${String(i).padStart(3, '0')}`, 1), START_MS);
      if ('host' in taken) state = taken.host;
    }
    expect(Object.keys(state.epochs)).toHaveLength(16);
    expect(state.epochs['f039']).toBeDefined();
    const wide = takeEvent(state, tombstone(3, [[1, Number.MAX_SAFE_INTEGER]]), START_MS);
    if ('refusal' in wide) throw new Error(wide.refusal);
    expect(wide.host.epochs['e1']?.named).toEqual([[1, Number.MAX_SAFE_INTEGER]]);
    expect(gapsOf(wide.host)).toEqual([]);
  });
});

describe('what is told of a host', () => {
  test('an epoch may be called as something that every object has', () => {
    for (const epoch of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      let state = host();
      for (const n of [1, 2, 4, 4]) {
        const dropped = { epoch, ranges: [[3, 3]], schemaVersion: 1 };
        const words = n === 4 ? { type: 'edgewood.events.dropped', data: dropped } : {};
        const taken = takeEvent(
          state,
          observed(eventMessage('h1', epoch, n, words)) as InboundEvent,
          START_MS,
        );
        if ('refusal' in taken) throw new Error(taken.refusal);
        state = taken.host;
      }
      // As it comes back from the store.
      state = JSON.parse(JSON.stringify(state)) as HostState;
      expect(storedOf(state, epoch)).toEqual([
        [1, 2],
        [4, 4],
      ]);
      expect(storedOf(state, 'valueOf')).toEqual([]);
      expect(gapsOf(state)).toEqual([]);
    }
  });

  test('a new epoch is heard after one that was born by a clock in the future', () => {
    const epoch = (ms: number): string => `${ms.toString(36).padStart(9, '0')}abcdef`;
    let state = host();
    const take = (name: string, n: number, text: string): void => {
      const message = eventMessage('h1', name, n, { data: { host: { id: 'h1', name: text, labels: {} } } });
      const taken = takeEvent(state, observed(message) as InboundEvent, START_MS);
      if ('host' in taken) state = taken.host;
    };
    take(epoch(START_MS + 10 * 365 * 86_400_000), 7, 'future');
    take(epoch(START_MS), 1, 'now');
    expect(state.name).toBe('now');
    // Of two that may be, the later one counts.
    take(epoch(START_MS - 86_400_000), 9, 'before');
    expect(state.name).toBe('now');
  });

  test('an old event that comes late changes nothing', () => {
    let state = host();
    const take = (one: InboundEvent): void => {
      const taken = takeEvent(state, one, START_MS);
      if ('host' in taken) state = taken.host;
    };
    const incident = (n: number, state: string) =>
      observed(incidentMessage('h1', n, { feature: 'cpu', state, timeMs: START_MS })) as InboundEvent;
    take(incident(5, 'resolved'));
    take(incident(4, 'opened'));
    expect(state.incident).toBeNull();
    take(incident(6, 'opened'));
    expect(state.incident).toMatchObject({ feature: 'cpu', trigger: 'surprise', severity: 'warning' });
    expect(state.name).toBe('name of h1');
  });

  test('a will counts only for the latest birth', () => {
    const take = (state: HostState, message: Parameters<typeof parseMessage>[0]) =>
      takeStatus(state, observed(message) as InboundStatus, START_MS);
    let state = take(host(), birth('h1', 'one', START_MS));
    state = take(state, birth('h1', 'two', START_MS + 1000));
    expect(take(state, will('h1', 'one')).presence).toBe('online');
    expect(take(state, will('h1', 'two')).presence).toBe('lost');
    expect(take(state, goodbye('h1', 'two', START_MS + 2000)).presence).toBe('stopped');
    // What lay at the broker from before, and a goodbye of whom another followed.
    const lying = { ...birth('h1', 'one', START_MS), retained: true };
    expect(take(state, lying)).toMatchObject({ bootId: 'two' });
    expect(take(state, goodbye('h1', 'one', START_MS + 5000))).toMatchObject({
      bootId: 'two',
      presence: 'online',
    });
    // Born now, by a clock that was set back: it is the latest all the same.
    const third = take(state, birth('h1', 'three', START_MS - 86_400_000));
    expect(third).toMatchObject({ bootId: 'three', bornMs: START_MS - 86_400_000 });
    expect(take(third, will('h1', 'three')).presence).toBe('lost');
  });

  test('a boot that speaks again after another: two hosts under one id; a restart is none', () => {
    const speak = (state: HostState, bootId: string, atMs: number) =>
      takeTelemetry(state, { kind: 'telemetry', bootId, state: 'watching' }, atMs);
    let state = speak(speak(host(), 'one', START_MS), 'two', START_MS + 1);
    expect(isCloned(state, START_MS + 1)).toBe(false);
    // Once is one that came late.
    state = speak(state, 'one', START_MS + 2);
    expect(isCloned(state, START_MS + 2)).toBe(false);
    state = speak(state, 'two', START_MS + 3);
    expect(isCloned(state, START_MS + 3)).toBe(true);
    expect(isCloned(state, START_MS + 3_600_004)).toBe(false);
    // Two that share a client id push each other out: each is born again and again.
    let pushed = host();
    for (const [i, boot] of ['one', 'two', 'one', 'two', 'one'].entries()) {
      pushed = takeStatus(pushed, observed(birth('h1', boot, START_MS + i)) as InboundStatus, START_MS + i);
      expect(isCloned(pushed, START_MS + i)).toBe(i >= 3);
    }
  });
});
