import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HubWindow } from '../../agent/hub-window.ts';
import { parseAcknowledgement } from '../../core/protocol/acknowledgement.ts';
import type { StoredEvent } from '../../core/protocol/events.ts';
import type { Message } from '../../hub/broker.ts';
import { isOurs, parseShard } from '../../hub/shard.ts';
import { HubReader } from '../../hub/store/reader.ts';
import { validator } from '../support/schemas.ts';
import {
  birth,
  documentMessage,
  eventMessage,
  goodbye,
  incidentMessage,
  telemetry,
  will,
} from './messages.ts';
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

describe('silence', () => {
  const speaking = async (scene: Scene, hosts: readonly string[], ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10_000) {
      for (const host of hosts) scene.hub.receive(telemetry(host));
      await scene.pass(10_000);
    }
  };

  test('a host that says nothing more is told of, once, and that it is back', async () => {
    const scene = new Scene();
    await speaking(scene, ['h1', 'h2'], 60_000);
    await speaking(scene, ['h2'], 200_000);
    const [alert, ...more] = scene.broker.take(ALERT);
    expect(more).toEqual([]);
    expect(alert?.topic).toBe('edgewood/1/lab/hub/alert/warning');
    expect(alert?.document).toMatchObject({
      type: 'edgewood.host.silent',
      subject: 'h1',
      data: { state: 'opened', host: { id: 'h1' }, disconnected: false },
    });
    expect(validator('hub-event')(alert?.document)).toEqual([]);
    expect(validator('host-silent')(alert?.document['data'])).toEqual([]);
    await speaking(scene, ['h1', 'h2'], 20_000);
    const [back] = scene.broker.take(ALERT);
    expect(back?.document).toMatchObject({ subject: 'h1', data: { state: 'resolved' } });
  });

  test('a goodbye is no silence, a will is, and one of an earlier boot is nothing', async () => {
    const scene = new Scene();
    for (const host of ['h1', 'h2', 'h3']) {
      scene.hub.receive(birth(host, 'b1', scene.nowMs));
      scene.hub.receive(telemetry(host));
    }
    scene.hub.receive(goodbye('h1', 'b1', scene.nowMs));
    scene.hub.receive(will('h2', 'b1'));
    scene.hub.receive(birth('h3', 'b2', scene.nowMs));
    scene.hub.receive(will('h3', 'b1'));
    for (let i = 0; i < 20; i++) {
      scene.hub.receive(telemetry('h3', 'b2'));
      await scene.pass(10_000);
    }
    const alerts = scene.broker.take(ALERT);
    expect(alerts.map(({ document }) => document['subject'])).toEqual(['h2']);
    expect(alerts[0]?.document['data']).toMatchObject({ disconnected: true });
  });

  test('the hub away from its broker hears nobody: nobody is silent; nor after a restart', async () => {
    const scene = new Scene();
    await speaking(scene, ['h1'], 30_000);
    scene.hub.disconnected();
    await scene.pass(600_000);
    scene.hub.connected();
    await scene.pass(20_000);
    await speaking(scene, ['h1'], 60_000);
    scene.nowMs += 3_600_000;
    scene.crash();
    await scene.pass(40_000);
    await speaking(scene, ['h1'], 60_000);
    expect(scene.broker.take(ALERT)).toEqual([]);
  });

  test('an alert waits in the store for the broker, over a restart', async () => {
    const scene = new Scene();
    await speaking(scene, ['h1'], 30_000);
    scene.broker.failing = true;
    await scene.pass(300_000);
    expect(scene.broker.published).toEqual([]);
    scene.crash();
    scene.broker.failing = false;
    await scene.pass(6000);
    expect(scene.broker.take(ALERT).map(({ document }) => document['subject'])).toEqual(['h1']);
    await scene.pass(120_000);
    expect(scene.broker.take(ALERT)).toEqual([]);
  });

  test('many at once are one alert, which names how many of whom', async () => {
    const scene = new Scene();
    const racks = Array.from({ length: 40 }, (_, i) => ({ id: `h${i}`, rack: i < 12 ? 'r1' : 'r2' }));
    for (const { id, rack } of racks) scene.hub.receive(eventMessage(id, 'e1', 1, { labels: { rack } }));
    const ids = racks.map(({ id }) => id);
    await speaking(scene, ids, 60_000);
    // Not all in the same moment: the first waits for the others.
    await speaking(scene, ids.slice(3), 20_000);
    await speaking(scene, ids.slice(10), 200_000);
    const alerts = scene.broker.take(ALERT);
    expect(alerts).toHaveLength(1);
    expect(alerts[0]?.topic).toBe('edgewood/1/lab/hub/alert/critical');
    const data = alerts[0]?.document['data'] as Record<string, unknown>;
    expect(validator('fleet-incident')(data)).toEqual([]);
    expect(data).toMatchObject({
      state: 'opened',
      cause: { kind: 'silent' },
      count: 10,
      groupSize: 12,
      label: { name: 'rack', value: 'r1' },
      sentence: '10 of 12 hosts with rack=r1 (83 %) are silent.',
    });
    expect((data['hosts'] as unknown[]).length).toBe(10);
    // Eight are back: the incident is over, and who is still silent is told of by himself.
    await speaking(scene, ids.slice(2), 60_000);
    const after = scene.broker.take(ALERT);
    expect(after.map(({ document }) => (document['data'] as { state: string }).state)).toEqual([
      'resolved',
      'opened',
      'opened',
    ]);
    expect(after.slice(1).map(({ document }) => document['subject'])).toEqual(['h0', 'h1']);
  });
});

describe('silence of many, and clocks', () => {
  const ids = Array.from({ length: 200 }, (_, i) => `h${i}`);
  const speak = async (scene: Scene, hosts: readonly string[], ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10_000) {
      for (const host of hosts) scene.hub.receive(telemetry(host));
      await scene.pass(10_000);
    }
  };
  const said = (scene: Scene) =>
    scene.broker.take(ALERT).map(({ document }) => {
      const { state, count } = document['data'] as { state: string; count?: number };
      return { type: document['type'], subject: document['subject'], state, count };
    });

  test('200 at once are one alert; as they come back one by one, one more, and a word on each of the last two', async () => {
    const scene = new Scene();
    await speak(scene, ids, 60_000);
    await scene.pass(120_000);
    expect(said(scene)).toEqual([expect.objectContaining({ state: 'opened', count: 200 })]);
    for (let back = 1; back <= 200; back++) {
      for (const host of ids.slice(0, back)) scene.hub.receive(telemetry(host));
      await scene.pass(5000);
    }
    await scene.pass(10_000);
    expect(
      said(scene).map(({ state, subject }) => [state, String(subject).replace(/^.{36}$/, 'fleet')]),
    ).toEqual([
      ['resolved', 'fleet'],
      ['opened', 'h198'],
      ['opened', 'h199'],
      ['resolved', 'h198'],
      ['resolved', 'h199'],
    ]);
  });

  test('one that falls silent long after many did is told of by itself, though they still are', async () => {
    const scene = new Scene();
    const [gone, there] = [ids.slice(0, 50), ids.slice(50)];
    await speak(scene, ids, 60_000);
    await speak(scene, there, 900_000);
    expect(said(scene)).toEqual([expect.objectContaining({ state: 'opened', count: gone.length })]);
    await speak(scene, there.slice(1), 300_000);
    expect(said(scene)).toEqual([expect.objectContaining({ state: 'opened', subject: 'h50' })]);
  });

  test('after a day in which there was no hub, nobody is silent until he was heard for as long as anybody', async () => {
    const scene = new Scene();
    await speak(scene, ids, 60_000);
    scene.nowMs += 86_400_000;
    scene.crash();
    await scene.pass(50_000);
    await speak(scene, ids.slice(1), 120_000);
    expect(said(scene)).toEqual([expect.objectContaining({ subject: 'h0', state: 'opened' })]);
  });

  test('the hub’s clock jumps an hour, either way: nobody is called silent by it, nobody hidden', async () => {
    for (const jumpMs of [3_600_000, -3_600_000]) {
      const scene = new Scene();
      await speak(scene, ids.slice(0, 8), 60_000);
      // One has been silent, and is told of, before; one falls silent just then.
      await speak(scene, ids.slice(1, 8), 120_000);
      expect(said(scene)).toEqual([expect.objectContaining({ subject: 'h0', state: 'opened' })]);
      scene.jump(jumpMs);
      await speak(scene, ids.slice(2, 8), 30_000);
      expect(said(scene)).toEqual([]);
      await speak(scene, ids.slice(2, 8), 150_000);
      expect(said(scene)).toEqual([expect.objectContaining({ subject: 'h1', state: 'opened' })]);
      await speak(scene, ids.slice(0, 8), 20_000);
      expect(said(scene).map(({ subject, state }) => [subject, state])).toEqual([
        ['h0', 'resolved'],
        ['h1', 'resolved'],
      ]);
    }
  });

  test('a broker that does not let it hear is no silence of hosts', async () => {
    const scene = new Scene();
    await speak(scene, ids, 60_000);
    scene.broker.refusing = true;
    scene.crash();
    await scene.pass(600_000);
    expect(said(scene)).toEqual([]);
    expect(scene.logged.some(({ event }) => event === 'hub.subscriptionRefused')).toBe(true);
    scene.broker.refusing = false;
    await scene.pass(300_000);
    expect(said(scene)).toEqual([expect.objectContaining({ state: 'opened', count: 200 })]);
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
