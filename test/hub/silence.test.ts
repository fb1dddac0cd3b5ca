import { describe, expect, test } from 'vitest';
import { validator } from '../support/schemas.ts';
import { birth, eventMessage, goodbye, telemetry, will } from './messages.ts';
import { Scene } from './support.ts';

const ALERT = /\/hub\/alert\//;

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

  test('a clock that is set back says nothing more of many that are silent', async () => {
    const scene = new Scene();
    await speak(scene, ids, 60_000);
    await scene.pass(120_000);
    expect(said(scene)).toEqual([expect.objectContaining({ state: 'opened', count: 200 })]);
    scene.jump(-3_600_000);
    await scene.pass(600_000);
    expect(said(scene)).toEqual([]);
    await speak(scene, ids, 20_000);
    expect(said(scene)).toEqual([expect.objectContaining({ state: 'resolved' })]);
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
