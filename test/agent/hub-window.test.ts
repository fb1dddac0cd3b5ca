import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HubWindow } from '../../agent/hub-window.ts';
import { Pace } from '../../agent/pace.ts';
import { parseAcknowledgement } from '../../core/protocol/acknowledgement.ts';
import { storedEvent } from '../support/sinks.ts';

const MINUTE_MS = 60_000;

function taken(window: HubWindow, n: number, nowMs: number): void {
  window.sent(storedEvent(n), nowMs);
  window.taken(`e1-${n}`);
}

describe('what the hub has not acknowledged', () => {
  test('only what was sent can be acknowledged, and only in its epoch', () => {
    const window = new HubWindow();
    for (const n of [3, 4, 7]) taken(window, n, 0);
    expect(window.acknowledged({ epoch: 'other', ranges: [[1, 9]] })).toEqual([]);
    expect(
      window
        .acknowledged({
          epoch: 'e1',
          ranges: [
            [1, 3],
            [6, 99],
          ],
        })
        .map(({ n }) => n),
    ).toEqual([3, 7]);
    expect(window.acknowledged({ epoch: 'e1', ranges: [[3, 3]] })).toEqual([]);
    expect([3, 4, 7].map((n) => window.has(`e1-${n}`))).toEqual([false, true, false]);
  });

  test('a word that comes before the broker’s waits for it, and is forgotten where the broker never has it', () => {
    const window = new HubWindow();
    for (const n of [1, 2]) window.sent(storedEvent(n), 0);
    expect(window.acknowledged({ epoch: 'e1', ranges: [[1, 2]] })).toEqual([]);
    expect(window.taken('e1-1')).toBe(true);
    expect(window.has('e1-1')).toBe(false);
    window.notSent('e1-2');
    window.sent(storedEvent(2), 1);
    expect(window.taken('e1-2')).toBe(false);
    expect(window.acknowledged({ epoch: 'e1', ranges: [[2, 2]] }).map(({ n }) => n)).toEqual([2]);
  });

  test('a silent hub gets no backlog, and is asked by a few, ever more rarely, until it answers', () => {
    const window = new HubWindow();
    for (let n = 1; n <= 40; n++) taken(window, n, 0);
    expect(window.backlogRoom(0)).toBe(256 - 40);
    expect(window.probe(MINUTE_MS - 1)).toBe(0);
    expect(window.backlogRoom(MINUTE_MS + 1)).toBe(0);
    const waits: number[] = [];
    let now = MINUTE_MS;
    for (let i = 0; i < 8; i++) {
      expect(window.probe(now)).toBe(16);
      for (let n = 1; n <= 16; n++) taken(window, 1000 * i + n, now);
      const wait = window.probeInMs(now) as number;
      waits.push(wait / MINUTE_MS);
      now += wait;
    }
    expect(waits).toEqual([2, 4, 8, 16, 30, 30, 30, 30]);
    window.acknowledged({ epoch: 'e1', ranges: [[1, 100_000]] });
    expect(window.size).toBe(0);
    expect(window.probeInMs(now)).toBeNull();
    expect(window.backlogRoom(now)).toBe(256);
  });

  test('whatever comes in, an acknowledgement is well formed or none', () => {
    expect(parseAcknowledgement({ schemaVersion: 1, epoch: 'e', ranges: [[1, 2]] })).toEqual({
      epoch: 'e',
      ranges: [[1, 2]],
    });
    for (const ranges of [[[2, 1]], [[0, 1]], [[1]], [[1, 2, 3]], [['1', '2']], {}, null, [[1, 1e300]]]) {
      expect(parseAcknowledgement({ schemaVersion: 1, epoch: 'e', ranges })).toBeNull();
    }
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('schemaVersion', 'epoch', 'ranges'), fc.jsonValue()),
        (document) => {
          const parsed = parseAcknowledgement(document);
          if (parsed !== null) for (const [from, to] of parsed.ranges) expect(from).toBeLessThanOrEqual(to);
        },
      ),
    );
  });
});

describe('pace', () => {
  test('over any time, no more than the rate and one burst', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 2000 }), { maxLength: 50 }),
        (perSecond, burst, steps) => {
          const pace = new Pace(perSecond, burst, 0);
          let now = 0;
          let taken = 0;
          for (const step of steps) {
            now += step;
            const available = pace.available(now);
            expect(available).toBeLessThanOrEqual(burst);
            pace.take(available);
            taken += available;
          }
          expect(taken).toBeLessThanOrEqual(burst + (now * perSecond) / 1000 + 1e-6);
          expect(pace.available(now + pace.waitMs(1))).toBeGreaterThanOrEqual(1);
        },
      ),
    );
  });
});
