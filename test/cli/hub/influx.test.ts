import { afterEach, describe, expect, test } from 'vitest';
import { InfluxCopy } from '../../../cli/hub/influx.ts';
import { newHost } from '../../../hub/host.ts';
import { type InboundEvent, type InboundReported, parseMessage } from '../../../hub/inbound.ts';
import { keepSamples } from '../../../hub/store/samples.ts';
import type { HubStore } from '../../../hub/store/store.ts';
import { EMPTY_WATCH, watch } from '../../../hub/watch.ts';
import { documentMessage, eventMessage, incidentMessage, SITE, START_MS } from '../../hub/messages.ts';
import { hubDatabase, openStore, temporaryDirectory } from '../../hub/support.ts';
import { type Daemon, exported, hasVictoriaMetrics, startVictoriaMetrics } from '../../support/daemons.ts';
import { type Answer, fakeServer } from '../../support/http-server.ts';
import { parseLine } from '../../support/line-protocol.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const eventIn = (message: Parameters<typeof parseMessage>[0]): InboundEvent =>
  (parseMessage(message) as { observation: InboundEvent }).observation;

function storeWith(events: readonly InboundEvent[]): HubStore {
  const store = openStore(temporaryDirectory());
  cleanups.push(() => store.close());
  store.write({
    hosts: [newHost(SITE, 'h1', START_MS)],
    events: events.map((event) => ({ key: `${SITE}/h1`, event, receivedMs: START_MS })),
    reported: [],
    refusals: [],
  });
  return store;
}

const until = (holds: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (holds()) resolve();
      else setTimeout(look, 20);
    };
    look();
  });

function copyToPort(store: HubStore, port: number): { event: string; fields: object }[] {
  const logged: { event: string; fields: object }[] = [];
  const copy = new InfluxCopy(
    { type: 'influx', name: 'influx', url: `http://127.0.0.1:${port}?org=o&bucket=b` },
    store,
    (_level, event, fields = {}) => void logged.push({ event, fields }),
  );
  cleanups.push(() => copy.close());
  copy.start();
  return logged;
}

async function copyTo(store: HubStore, answer: (nth: number, body: string) => Answer) {
  const server = await fakeServer(({ body }, nth) => answer(nth, body));
  cleanups.push(() => server.stop());
  const said = copyToPort(store, server.port);
  return { server, said, logged: { includes: (event: string) => said.some((one) => one.event === event) } };
}

const NOW_MS = START_MS + 600_000;

/** Of everything that there is: two reported states, verdicts, a silent host and many of them, samples. */
function fullStore(): HubStore {
  const directory = temporaryDirectory();
  const store = openStore(directory, () => NOW_MS);
  cleanups.push(() => store.close());
  const key = `${SITE}/h1`;
  const host = { ...newHost(SITE, 'h1', START_MS), name: 'web 1', labels: { role: 'we,b=x' } };
  const verdict = (n: number, incidentId: string, word: string): InboundEvent =>
    eventIn(
      eventMessage('h1', 'e1', n, {
        type: 'edgewood.verdict',
        timeMs: START_MS + n * 1000,
        data: { incidentId, verdict: word, note: 'so "it" is', openedAt: '', modelSha256: '' },
      }),
    );
  const reported = (at: number, state: string, more: object) => ({
    key,
    receivedMs: START_MS,
    reported: (
      parseMessage(
        documentMessage('h1', 'reported', { at: new Date(START_MS + at).toISOString(), state, ...more }),
      ) as { observation: InboundReported }
    ).observation,
  });
  const model = { model: 'host', version: 7, sha256: 'x' };
  const release = { version: 3, artifactSha256: 'y' };
  const words = [verdict(1, 'i1', 'true'), verdict(2, 'i2', 'false'), verdict(3, 'i1', 'benign')];
  store.write({
    hosts: [host],
    events: words.map((event) => ({ key, event, receivedMs: START_MS })),
    reported: [
      reported(0, 'shadow', { root: 2, rollout: model, release, refused: {} }),
      reported(1000, 'committed', { root: 2, rollout: model, release, refused: { expired: 2, forged: 3 } }),
      reported(2000, 'made up by\nhand', { refused: 'none', root: -1 }),
    ],
    refusals: [],
  });
  const hosts = new Map(
    ['h1', ...Array.from({ length: 8 }, (_, i) => `s${i}`)].map((id) => [
      `${SITE}/${id}`,
      { ...(id === 'h1' ? host : newHost(SITE, id, START_MS)), presence: 'lost' as const },
    ]),
  );
  hosts.set('other/h9', { ...newHost('other', 'h9', START_MS), presence: 'lost' });
  const hearing = { listeningSinceMs: START_MS, leastMs: 60_000 };
  const first = watch(EMPTY_WATCH, hosts, hearing, NOW_MS - 60_000);
  store.alert(first.alerts, first.state);
  const second = watch(first.state, hosts, hearing, NOW_MS);
  store.alert(second.alerts, second.state);
  keepSamples(
    directory,
    hubDatabase,
    { site: SITE, hostId: 'h1' },
    {
      metrics: ['cpu', 'memory'],
      rows: Array.from({ length: 1200 }, (_, i) => ({
        timeMs: START_MS + i * 5000,
        values: [i, i % 2 === 0 ? null : i / 2],
      })),
    },
  );
  return store;
}

const isWhole = (store: HubStore): boolean =>
  store.cursor('events') === 3 &&
  store.cursor('reported') === 3 &&
  store.cursor('alerts') === 2 &&
  store.cursor('samples') === 1200;

describe('the hub’s copy to InfluxDB', () => {
  test('events are written as each agent would, whatever hosts say in them, and none twice', async () => {
    const hostile = eventMessage('h1', 'e1', 3, {
      type: 'edgewood.incident',
      severity: 'info',
      data: { severity: { x: 1 }, state: 7, explanation: null },
      labels: { 'a b': 'c,d=e', site: 'elsewhere' },
    });
    const store = storeWith([
      eventIn(incidentMessage('h1', 1, { feature: 'cpu', timeMs: START_MS })),
      eventIn(eventMessage('h1', 'e1', 2)),
      eventIn(hostile),
    ]);
    const { server } = await copyTo(store, () => ({ status: 204 }));
    await until(() => store.cursor('events') === 3);
    expect(server.seen).toHaveLength(1);
    const [request] = server.seen;
    expect(request?.query.get('bucket')).toBe('b');
    const points = (request?.body ?? '').split('\n').map(parseLine);
    expect(points.map(({ measurement }) => measurement)).toEqual([
      'edgewood_incident',
      'edgewood_event',
      'edgewood_event',
    ]);
    for (const { tags } of points) expect(tags).toMatchObject({ site: SITE, host_id: 'h1' });
  });

  test('while the server is away they wait in the store, and go when it is back', async () => {
    const store = storeWith([1, 2, 3].map((n) => eventIn(eventMessage('h1', 'e1', n))));
    const { logged, server } = await copyTo(store, (nth) => ({ status: nth <= 1 ? 503 : 204 }));
    await until(() => logged.includes('hub.influxRetry'));
    expect(store.cursor('events')).toBe(0);
    await until(() => logged.includes('hub.influxRecovered'));
    expect(store.cursor('events')).toBe(3);
    expect(server.seen.length).toBe(2);
  });

  test('states, alerts, verdicts and samples, each behind a cursor of its own', async () => {
    const store = fullStore();
    const { server } = await copyTo(store, () => ({ status: 204 }));
    await until(() => isWhole(store));
    const points = server.seen.flatMap(({ body }) => body.split('\n').map(parseLine));
    const of = (measurement: string) => points.filter((point) => point.measurement === measurement);
    const host = { site: SITE, host_id: 'h1', host: 'web 1', role: 'we,b=x' };
    expect(of('edgewood_reported').map(({ tags, fields }) => ({ tags, fields }))).toEqual([
      {
        tags: { ...host, state: 'shadow', model: 'host' },
        fields: { release: 3n, rollout: 7n, root: 2n, refused: 0n },
      },
      {
        tags: { ...host, state: 'committed', model: 'host' },
        fields: { release: 3n, rollout: 7n, root: 2n, refused: 5n },
      },
      { tags: { ...host, state: '?' }, fields: { refused: 0n } },
    ]);
    expect(
      of('edgewood_verdict').map(({ tags, fields }) => [
        tags['verdict'],
        fields['judged'],
        fields['precision'],
      ]),
    ).toEqual([
      // The first incident's word was changed since.
      ['true', 0n, undefined],
      ['false', 1n, 0],
      ['benign', 2n, 0],
    ]);
    expect(of('edgewood_hub_alert')).toMatchObject([
      {
        tags: {
          site: SITE,
          type: 'edgewood.fleet.incident',
          severity: 'critical',
          state: 'opened',
          cause: 'silent',
        },
        fields: { count: 9n, group_size: 9n, share: 1, sequence: 1n },
      },
      {
        tags: { site: 'other', type: 'edgewood.host.silent', host_id: 'h9' },
        fields: { sequence: 2n },
      },
    ]);
    const samples = of('edgewood_sample');
    expect(samples).toHaveLength(1200);
    expect(samples[3]).toMatchObject({ tags: host, fields: { cpu: 3, memory: 1.5 } });
    expect(samples[2]?.fields).toEqual({ cpu: 2 });
    expect(server.seen.every(({ body }) => body.split('\n').length <= 1000)).toBe(true);
  });

  test('a row that the server will never take is counted and left out; the others go', async () => {
    const store = fullStore();
    const { said } = await copyTo(store, (_nth, body) =>
      body.includes('state=committed') ? { status: 400, body: '{"code":"invalid"}' } : { status: 204 },
    );
    await until(() => isWhole(store));
    expect(said.filter(({ event }) => event === 'hub.influxRefused')).toEqual([
      { event: 'hub.influxRefused', fields: { reported: 1 } },
    ]);
  });
});

describe.skipIf(!hasVictoriaMetrics)('the hub’s copy in a real VictoriaMetrics', () => {
  test('what the hub stores can be read back; copied twice, it is there once', async () => {
    const victoria: Daemon = await startVictoriaMetrics();
    cleanups.push(() => victoria.stop());
    const store = fullStore();
    copyToPort(store, victoria.port);
    await until(() => isWhole(store));
    for (const feed of ['events', 'reported', 'alerts', 'samples'] as const) store.taken(feed, 0, 0);
    await until(() => isWhole(store));
    const [refused] = await exported(victoria, 'edgewood_reported_refused{state="committed"}');
    expect(refused?.metric).toMatchObject({ host: 'web 1', host_id: 'h1', model: 'host', role: 'we,b=x' });
    expect([refused?.values.at(-1), refused?.timestamps.at(-1)]).toEqual([5, START_MS + 1000]);
    const [count] = await exported(victoria, 'edgewood_hub_alert_count{type="edgewood.fleet.incident"}');
    expect(count?.values.at(-1)).toBe(9);
    const [judged] = await exported(victoria, 'edgewood_verdict_judged{verdict="benign"}');
    expect(judged?.values.at(-1)).toBe(2);
    const [cpu] = await exported(victoria, 'edgewood_sample_cpu');
    const read = new Map(cpu?.timestamps.map((time, i) => [time, cpu.values[i]]));
    expect(read.size).toBe(1200);
    expect(read.get(START_MS + 7 * 5000)).toBe(7);
  });
});
