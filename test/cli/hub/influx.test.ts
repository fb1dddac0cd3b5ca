import { afterEach, describe, expect, test } from 'vitest';
import { InfluxCopy } from '../../../cli/hub/influx.ts';
import { newHost } from '../../../hub/host.ts';
import { type InboundEvent, parseMessage } from '../../../hub/inbound.ts';
import type { HubStore } from '../../../hub/store/store.ts';
import { eventMessage, incidentMessage, SITE, START_MS } from '../../hub/messages.ts';
import { openStore, temporaryDirectory } from '../../hub/support.ts';
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

async function copyTo(store: HubStore, answer: (nth: number) => Answer) {
  const logged: string[] = [];
  const server = await fakeServer((_request, nth) => answer(nth));
  cleanups.push(() => server.stop());
  const copy = new InfluxCopy(
    { type: 'influx', name: 'influx', url: `http://127.0.0.1:${server.port}?org=o&bucket=b` },
    store,
    (_level, event) => void logged.push(event),
  );
  cleanups.push(() => copy.close());
  copy.start();
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (holds()) resolve();
        else setTimeout(look, 20);
      };
      look();
    });
  return { server, logged, until };
}

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
    const { server, until } = await copyTo(store, () => ({ status: 204 }));
    await until(() => store.meta('influx') === '3');
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
    const { logged, until, server } = await copyTo(store, (nth) => ({ status: nth <= 1 ? 503 : 204 }));
    await until(() => logged.includes('hub.influxRetry'));
    expect(store.meta('influx')).toBeUndefined();
    await until(() => logged.includes('hub.influxRecovered'));
    expect(store.meta('influx')).toBe('3');
    expect(server.seen.length).toBe(2);
  });
});
