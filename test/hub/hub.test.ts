import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HubWindow } from '../../agent/hub-window.ts';
import { parseAcknowledgement } from '../../core/protocol/acknowledgement.ts';
import type { StoredEvent } from '../../core/protocol/events.ts';
import type { Message } from '../../hub/broker.ts';
import { isOurs, parseShard } from '../../hub/shard.ts';
import { HubReader } from '../../hub/store/reader.ts';
import { validator } from '../support/schemas.ts';
import { documentMessage, eventMessage, incidentMessage } from './messages.ts';
import { hubDatabase, Scene } from './support.ts';

const ACK = /\/ack$/;
const ALERT = /\/hub\/alert\//;

const storedNumbers = (scene: Scene): number[] => scene.store.after('events', 0, 10_000).map(({ n }) => n);

describe('storing and acknowledging', () => {
  test('an event is acknowledged once it is stored, with others of its host in one message', async () => {
    const scene = new Scene();
    for (const n of [1, 2, 3, 5]) scene.hub.receive(eventMessage('h1', 'e1', n));
    expect(scene.broker.take(ACK)).toEqual([]);
    await scene.pass(20);
    expect(storedNumbers(scene)).toEqual([1, 2, 3, 5]);
    expect(scene.broker.take(ACK)).toEqual([]);
    await scene.pass(300);
    const [ack, ...more] = scene.broker.take(ACK);
    expect(more).toEqual([]);
    expect(ack).toEqual({
      topic: 'edgewood/1/lab/a/h1/ack',
      document: {
        schemaVersion: 1,
        epoch: 'e1',
        ranges: [
          [1, 3],
          [5, 5],
        ],
      },
    });
    expect(validator('ack')(ack?.document)).toEqual([]);
    // Again: not stored twice, and acknowledged again, with all that is stored around it.
    scene.hub.receive(eventMessage('h1', 'e1', 2));
    await scene.pass(300);
    expect(storedNumbers(scene)).toEqual([1, 2, 3, 5]);
    expect(scene.broker.take(ACK)[0]?.document['ranges']).toEqual([[1, 3]]);
    expect(scene.hub.counters).toMatchObject({ events: 4, duplicates: 1 });
  });

  test('what the broker does not take of an acknowledgement, a second sending brings', async () => {
    const scene = new Scene();
    scene.broker.failing = true;
    scene.hub.receive(eventMessage('h1', 'e1', 1));
    await scene.pass(300);
    expect(scene.logged.some(({ event }) => event === 'hub.ackFailed')).toBe(true);
    scene.broker.failing = false;
    scene.hub.receive(eventMessage('h1', 'e1', 1));
    await scene.pass(300);
    expect(scene.broker.take(ACK)).toHaveLength(1);
  });

  test('under crashes, loss and repetition: nothing is acknowledged that is not stored; nothing is stored twice', async () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({ do: fc.constant('send' as const), n: fc.integer({ min: 1, max: 30 }) }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('pass' as const), n: fc.constantFrom(5, 15, 300) }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), n: fc.constant(0) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const scene = new Scene();
        const window = new HubWindow();
        const held = new Set<number>();
        const check = (): void => {
          const stored = new Set(storedNumbers(scene));
          expect(storedNumbers(scene)).toHaveLength(stored.size);
          for (const { document } of scene.broker.take(ACK)) {
            const ack = parseAcknowledgement(document);
            if (ack === null) throw new Error('no acknowledgement to the agent');
            for (const [from, to] of ack.ranges)
              for (let n = from; n <= to; n++) expect(stored.has(n)).toBe(true);
            for (const { n } of window.acknowledged(ack)) held.delete(n);
          }
        };
        for (const { do: what, n } of steps) {
          if (what === 'send') {
            held.add(n);
            window.sent({ id: `e1-${n}`, sequence: { epoch: 'e1', n } } as StoredEvent, scene.nowMs);
            window.taken(`e1-${n}`);
            scene.hub.receive(eventMessage('h1', 'e1', n));
          } else if (what === 'pass') await scene.pass(n);
          else scene.crash();
          check();
        }
        // What the agent still holds it sends again: in the end the hub has all, and the agent holds nothing.
        for (const n of held) scene.hub.receive(eventMessage('h1', 'e1', n));
        await scene.pass(1000);
        check();
        expect([...held]).toEqual([]);
        scene.store.close();
      }),
      { numRuns: 25 },
    );
  });

  test('what is no event is counted by host and reason, and the host is told apart from others', async () => {
    const scene = new Scene();
    const bad: Message = { ...eventMessage('h1', 'e1', 1), topic: 'edgewood/1/lab/a/h2/event' };
    for (let i = 0; i < 5; i++) scene.hub.receive(bad);
    scene.hub.receive({
      topic: 'edgewood/1/lab/a/h3/event',
      payload: new Uint8Array([0xff]),
      retained: false,
    });
    scene.hub.receive(eventMessage('h1', 'e1', 1));
    await scene.pass(300);
    const reader = HubReader.open(scene.directory, hubDatabase);
    expect(reader.refusals()).toEqual([
      { site: 'lab', hostId: 'h2', reason: 'otherHost', count: 5 },
      { site: 'lab', hostId: 'h3', reason: 'notJson', count: 1 },
    ]);
    expect(reader.hosts().map(({ host }) => host.hostId)).toEqual(['h1']);
    reader.close();
    // Told at each power of two.
    expect(scene.logged.filter(({ event }) => event === 'hub.refused')).toHaveLength(4);
  });

  test('reported states and verdicts are kept, the newest', async () => {
    const scene = new Scene();
    const reported = (at: string, state: string, more = {}) =>
      documentMessage('h1', 'reported', { at, state, ...more });
    scene.hub.receive(reported('2026-01-02T00:00:00Z', 'shadow'));
    // From a clock that was set back: it comes just now, so it is the newest; and only a count of samples is new.
    scene.hub.receive(reported('2026-01-01T00:00:00Z', 'committed'));
    scene.hub.receive(reported('2026-01-01T00:01:00Z', 'committed', { figures: { rows: 7 } }));
    // What lay at the broker from before.
    scene.hub.receive({ ...reported('2025-12-01T00:00:00Z', 'offered'), retained: true });
    const data = { incidentId: 'i1', verdict: 'false', note: 'x', openedAt: '', modelSha256: '' };
    scene.hub.receive(eventMessage('h1', 'e1', 1, { type: 'edgewood.verdict', data }));
    await scene.pass(300);
    const reader = HubReader.open(scene.directory, hubDatabase);
    expect(reader.hosts()[0]?.reported).toMatchObject({ state: 'committed' });
    reader.close();
    expect(
      scene.store.after('reported', 0, 10).map(({ state }) => JSON.parse(state) as unknown),
    ).toMatchObject([{ state: 'shadow' }, { state: 'committed' }]);
    const db = hubDatabase(scene.store.path, { readonly: true });
    expect(db.prepare('SELECT incident, verdict, note FROM verdicts').all()).toEqual([
      { incident: 'i1', verdict: 'false', note: 'x' },
    ]);
    db.close();
  });

  test('a report from a clock in the future does not stand in the way of those that follow', async () => {
    const scene = new Scene();
    const reported = (at: string, state: string, retained = false) => ({
      ...documentMessage('h1', 'reported', { at, state }),
      retained,
    });
    scene.hub.receive(reported('2040-01-01T00:00:00Z', 'offered'));
    await scene.pass(300);
    scene.hub.receive(reported('2026-01-05T12:00:00Z', 'committed', true));
    await scene.pass(300);
    const reader = HubReader.open(scene.directory, hubDatabase);
    expect(reader.hosts()[0]?.reported).toMatchObject({ state: 'committed' });
    reader.close();
  });

  test('a broker that is slow to answer makes no queue of acknowledgements: what is due meanwhile is one word', async () => {
    const scene = new Scene();
    const answer = Promise.withResolvers<void>();
    const publish = scene.broker.publish.bind(scene.broker);
    let under = 0;
    scene.broker.publish = async (topic, payload) => {
      under++;
      await answer.promise;
      await publish(topic, payload);
    };
    for (let n = 1; n <= 5000; n++) scene.hub.receive(eventMessage(`h${n % 2}`, 'e1', Math.ceil(n / 2)));
    await scene.pass(5000);
    expect(under).toBeLessThanOrEqual(2);
    answer.resolve();
    await scene.pass(1000);
    const acks = scene.broker.take(ACK);
    expect(acks.length).toBeLessThanOrEqual(4);
    for (const host of ['h0', 'h1']) {
      const last = acks.findLast(({ topic }) => topic.includes(`/${host}/`));
      expect(parseAcknowledgement(last?.document ?? {})?.ranges).toEqual([[1, 2500]]);
    }
  });

  test('a message that the hub stumbles over is counted, and keeps nobody else away', async () => {
    const scene = new Scene();
    const saboteur = eventMessage('h1', 'e1', 1);
    const stumble = Object.getOwnPropertyDescriptor(Object, 'hasOwn') as PropertyDescriptor;
    Object.defineProperty(Object, 'hasOwn', {
      ...stumble,
      value: () => {
        throw new Error('a bug');
      },
    });
    try {
      scene.hub.receive(saboteur);
    } finally {
      Object.defineProperty(Object, 'hasOwn', stumble);
    }
    scene.hub.receive(eventMessage('h2', 'e1', 1));
    await scene.pass(300);
    expect(scene.failure).toBeNull();
    expect(scene.broker.take(ACK).map(({ topic }) => topic)).toEqual(['edgewood/1/lab/a/h2/ack']);
    const reader = HubReader.open(scene.directory, hubDatabase);
    expect(reader.refusals()).toEqual([{ site: 'lab', hostId: 'h1', reason: 'hubFault', count: 1 }]);
    reader.close();
  });

  test('another shard keeps the other hosts; each host is in one', () => {
    const shards = [1, 2, 3].map((index) => parseShard(`${index}/3`));
    for (let i = 0; i < 300; i++) {
      expect(shards.filter((shard) => shard !== null && isOurs(`host-${i}`, shard))).toHaveLength(1);
    }
    for (const text of ['0/3', '4/3', '1', '1/9999', 'a/b']) expect(parseShard(text)).toBeNull();
  });
});

describe('many hosts with one cause', () => {
  test('five of a group of at most 25, within five minutes, by one trigger and metric', async () => {
    const scene = new Scene();
    for (let i = 0; i < 25; i++)
      scene.hub.receive(eventMessage(`h${i}`, 'e1', 1, { labels: { role: 'web' } }));
    const strike = (i: number, feature = 'cpu', state = 'opened', n = 2): void =>
      scene.hub.receive(
        incidentMessage(`h${i}`, n, { feature, state, labels: { role: 'web' }, timeMs: scene.nowMs }),
      );
    for (let i = 0; i < 4; i++) strike(i);
    strike(10, 'memory');
    await scene.pass(30_000);
    expect(scene.broker.take(ALERT)).toEqual([]);
    strike(4);
    await scene.pass(6000);
    const [alert] = scene.broker.take(ALERT);
    expect(alert?.document['data']).toMatchObject({
      count: 5,
      groupSize: 25,
      label: null,
      cause: { kind: 'incident', trigger: 'surprise', feature: 'cpu' },
    });
    // It is told again when it has doubled, and when it is over.
    for (let i = 5; i < 10; i++) strike(i);
    await scene.pass(6000);
    expect(scene.broker.take(ALERT)[0]?.document['data']).toMatchObject({ state: 'updated', count: 10 });
    for (let i = 0; i < 10; i++) strike(i, 'cpu', 'resolved', 3);
    await scene.pass(6000);
    expect(scene.broker.take(ALERT)[0]?.document['data']).toMatchObject({
      state: 'resolved',
      count: 0,
      peak: 10,
    });
  });

  test('five of thirty are too few, and five over half an hour are no group', async () => {
    const scene = new Scene();
    for (let i = 0; i < 30; i++) scene.hub.receive(eventMessage(`h${i}`, 'e1', 1));
    for (let i = 0; i < 5; i++)
      scene.hub.receive(incidentMessage(`h${i}`, 2, { feature: 'cpu', timeMs: scene.nowMs }));
    await scene.pass(20_000);
    for (let i = 0; i < 12; i++) {
      scene.hub.receive(incidentMessage(`h${i}`, 3, { feature: 'network', timeMs: scene.nowMs }));
      await scene.pass(150_000);
    }
    expect(scene.broker.take(ALERT)).toEqual([]);
  });
});
