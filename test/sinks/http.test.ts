import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Point } from '@influxdata/influxdb-client';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SinkConfig } from '../../agent/config/config.ts';
import { HttpClient } from '../../agent/sinks/http/http-client.ts';
import { sendSplitting } from '../../agent/sinks/http/split.ts';
import { judge, retryAfterMs } from '../../agent/sinks/http/verdict.ts';
import { InfluxSink } from '../../agent/sinks/influx/influx-sink.ts';
import { alertmanagerAlerts } from '../../agent/sinks/webhook/alertmanager.ts';
import { WebhookSink } from '../../agent/sinks/webhook/webhook-sink.ts';
import { operatorFigures } from '../../core/evaluation/verdicts.ts';
import type { AlertData } from '../../core/protocol/events.ts';
import { line, lineTags } from '../../core/protocol/line-protocol.ts';
import type { PerformanceTelemetry } from '../../core/protocol/telemetry.ts';
import { type SinkFixture, sinkConformance } from '../conformance/sink.ts';
import {
  type Daemon,
  exported,
  hasAlertmanager,
  hasVictoriaMetrics,
  startAlertmanager,
  startVictoriaMetrics,
} from '../support/daemons.ts';
import { type Answer, type FakeServer, fakeServer, type SeenRequest } from '../support/http-server.ts';
import { parseLine } from '../support/line-protocol.ts';
import { SMALL_SCHEMA } from '../support/series.ts';
import { HEALTH, IDENTITY, storedEvent } from '../support/sinks.ts';
import { NOW_MS, onCleanup, queue } from './harness.ts';

const CONTEXT = {
  identity: IDENTITY,
  hostName: 'web 1',
  labels: { role: 'we,b=x', site: 'spoofed' },
  schema: SMALL_SCHEMA,
};
const deps = (setTimer = (callback: () => void, ms: number) => realTimer(callback, ms)) => ({
  nowMs: () => NOW_MS,
  setTimer,
  log: () => {},
});
function realTimer(callback: () => void, ms: number): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}
/** Waits of seconds are tens of milliseconds. */
const hasty = (callback: () => void, ms: number): (() => void) => realTimer(callback, ms / 200);

function secret(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-secret-'));
  onCleanup(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'secret');
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}

async function server(answer: (request: SeenRequest, nth: number) => Answer): Promise<FakeServer> {
  const fake = await fakeServer(answer);
  onCleanup(() => fake.stop());
  return fake;
}

/** Holds a write to the API's documentation. */
function checkedWrite({ path, query, headers, body }: SeenRequest): ReturnType<typeof parseLine>[] {
  expect(path).toBe('/api/v2/write');
  expect(Object.fromEntries(query)).toEqual({ org: 'o', bucket: 'b', precision: 'ns' });
  expect(headers['content-type']).toBe('text/plain; charset=utf-8');
  expect(headers.authorization).toBe('Token s3cret');
  return body.split('\n').map(parseLine);
}

function influx(port: number, more: Partial<SinkConfig> = {}, setTimer = realTimer): InfluxSink {
  const config = { type: 'influx', name: 'influx', url: `http://127.0.0.1:${port}?org=o&bucket=b` } as const;
  const sink = new InfluxSink({ ...config, tokenFile: secret('s3cret'), ...more }, CONTEXT, deps(setTimer));
  onCleanup(() => sink.close());
  sink.start(() => {});
  return sink;
}

const point = (timeMs: number, cpu: number) => ({
  timeMs,
  values: Float64Array.from(SMALL_SCHEMA, (_, i) => (i === 0 ? cpu : i === 1 ? Number.NaN : i)),
  score: 1.5,
  inIncident: false,
  samples: 1,
});
const points = (count: number) => Array.from({ length: count }, (_, i) => point(NOW_MS + i, i));
const outcomes = (settlements: readonly { outcome: string }[]): string[] =>
  settlements.map(({ outcome }) => outcome);

describe('line protocol', () => {
  const text = fc.string({ unit: 'binary', maxLength: 30 });
  const plain = (x: string): string => x.replaceAll(/\p{C}/gu, ' ').replace(/\\+$/, '');

  test('whatever the names and values, one line that a strict reader reads back', () => {
    fc.assert(
      fc.property(
        fc.dictionary(text, text, { maxKeys: 4 }),
        fc.dictionary(text, fc.oneof(fc.double(), fc.boolean(), text), { minKeys: 1, maxKeys: 4 }),
        fc.integer({ min: 0, max: 4e12 }),
        (tags, fields, timeMs) => {
          const written = line('m', lineTags(tags), fields, timeMs, 7);
          if (written === null) return;
          expect(written).not.toContain('\n');
          const read = parseLine(written);
          expect(read.timeNs).toBe(BigInt(timeMs) * 1_000_000n + 7n);
          for (const [key, value] of Object.entries(read.tags)) {
            expect(Object.entries(tags).some(([k, v]) => plain(k) === key && plain(v) === value)).toBe(true);
          }
          for (const [key, value] of Object.entries(read.fields)) {
            const same = (v: unknown): boolean =>
              typeof v === 'string' ? v.replaceAll(/[\n\r]/g, ' ') === value : v === value || v === 0;
            expect(Object.entries(fields).some(([k, v]) => plain(k) === key && same(v))).toBe(true);
          }
        },
      ),
    );
  });

  test("is what InfluxDB's own client writes", () => {
    const name = fc.stringMatching(/^[a-z ,=]{1,8}$/);
    fc.assert(
      fc.property(name, name, fc.double({ noNaN: true, noDefaultInfinity: true }), text, (key, tag, x, s) => {
        const said = s.replaceAll(/[\n\r]/g, ' ');
        const theirs = new Point('m')
          .tag(key, tag)
          .floatField('x', x)
          .stringField('s', said)
          .intField('i', 3)
          .timestamp('1000000');
        const ours = line('m', lineTags({ [key]: tag }), { x, s: said, i: { integer: 3 } }, 1);
        expect(parseLine(ours as string)).toEqual(parseLine(theirs.toLineProtocol() as string));
      }),
    );
  });

  test('no field with a value: no line', () => {
    expect(line('m', '', { a: Number.NaN, b: null }, 1)).toBeNull();
  });
});

describe('InfluxDB sink against a server that checks every request', () => {
  test('samples, incidents, events and own figures: names, tags, times', async () => {
    const lines: ReturnType<typeof parseLine>[] = [];
    const fake = await server((request) => {
      lines.push(...checkedWrite(request));
      return { status: 204 };
    });
    const sink = influx(fake.port);
    sink.telemetry({ timeMs: NOW_MS, payload: '{}', health: HEALTH });
    expect(outcomes(await sink.deliverSamples(points(3)))).toEqual(Array(3).fill('delivered'));
    expect(outcomes(await sink.deliver([storedEvent(1, 'info'), storedEvent(2)]))).toEqual(
      Array(2).fill('delivered'),
    );
    expect(lines.map((one) => one.measurement)).toEqual([
      ...Array(3).fill('edgewood_sample'),
      'edgewood_agent',
      'edgewood_incident',
      'edgewood_event',
    ]);
    // What names the host can't be taken over by a label; a missing value is no field.
    expect(lines[1]).toEqual({
      measurement: 'edgewood_sample',
      tags: { host: 'web 1', host_id: 'host-1', role: 'we,b=x', site: 'lab' },
      fields: { cpu: 1, network: 2, swap: 3, score: 1.5, in_incident: false },
      timeNs: BigInt(NOW_MS + 1) * 1_000_000n,
    });
    expect(lines[3]?.fields).toMatchObject({
      memory_bytes: 70_000_000n,
      memory_pss_bytes: 40_000_000n,
      state: 'watching',
      sample_ms_p50: 0.1,
      loop_lag_ms_p99: 3,
      connects: 1n,
      incidents: 2n,
    });
    expect(lines[3]?.fields).not.toHaveProperty('delivery_ms_p50');
    expect(lines[5]).toMatchObject({
      tags: { type: 'edgewood.model.activated' },
      fields: { sequence: 2n, sequence_epoch: 'e1' },
      timeNs: BigInt(1_700_000_000_002) * 1_000_000n + 2n,
    });
    expect(sink.status()).toMatchObject({ connected: true, lastError: null });
    expect(fake.connections()).toBe(1);
  });

  test('a large batch is compressed, a small one is not', async () => {
    const fake = await server((request) => {
      checkedWrite(request);
      return { status: 204 };
    });
    const sink = influx(fake.port);
    await sink.deliverSamples(points(1));
    await sink.deliverSamples(points(500));
    expect(fake.seen.map(({ headers }) => headers['content-encoding'])).toEqual([undefined, 'gzip']);
  });

  test('400: the poison lines are found and set aside, the good ones written, each once', async () => {
    const written: bigint[] = [];
    const fake = await server((request) => {
      const lines = checkedWrite(request);
      if (lines.some(({ fields }) => Number(fields['cpu']) % 10 === 7)) {
        return { status: 400, body: '{"code":"invalid","message":"unable to parse"}' };
      }
      written.push(...lines.map(({ timeNs }) => timeNs));
      return { status: 204 };
    });
    const sink = influx(fake.port);
    const settled = await sink.deliverSamples(points(40));
    expect(settled.flatMap(({ outcome }, i) => (outcome === 'poison' ? [i] : []))).toEqual([7, 17, 27, 37]);
    expect(settled[7]).toMatchObject({ reason: expect.stringContaining('unable to parse') });
    expect(written).toHaveLength(36);
    expect(new Set(written).size).toBe(36);
    expect(sink.status().counters).toMatchObject({ linesRefused: 4, linesWritten: 36 });
    // Each poison line costs about two requests a halving.
    expect(fake.seen.length).toBeLessThan(4 * 2 * Math.ceil(Math.log2(40)));
  });

  test('413: halves, until they fit', async () => {
    const fake = await server((request) =>
      checkedWrite(request).length > 100 ? { status: 413 } : { status: 204 },
    );
    const settled = await influx(fake.port).deliverSamples(points(500));
    expect(outcomes(settled)).toEqual(Array(500).fill('delivered'));
  });

  test.each<[string, Answer, { reason: RegExp; afterMs?: number }]>([
    ['401', { status: 401 }, { reason: /tokenFile/, afterMs: 60_000 }],
    [
      '404',
      { status: 404, body: '{"message":"bucket \\"b\\" not found"}' },
      { reason: /bucket 'b' not found/, afterMs: 60_000 },
    ],
    [
      '429 with Retry-After',
      { status: 429, headers: { 'retry-after': '17' } },
      { reason: /too often/, afterMs: 17_000 },
    ],
    ['503', { status: 503, body: 'busy\u001b[31m' }, { reason: /fault of its own \("busy \[31m"\)/ }],
    ['301', { status: 301, headers: { location: 'http://elsewhere/' } }, { reason: /not followed/ }],
    ['no answer', 'hang', { reason: /no answer within 20 s/ }],
    ['reset', 'reset', { reason: /closed the connection/ }],
    ['a body without end', 'drip', { reason: /fault of its own/ }],
    ['a very long body', { status: 500, body: 'y'.repeat(5_000_000) }, { reason: /fault of its own/ }],
  ])('%s: all of it is kept for later', async (_name, answer, { reason, afterMs }) => {
    const fake = await server((request) => {
      checkedWrite(request);
      return answer;
    });
    // A busy machine may take longer than a hurried wait for what does answer.
    const waits = answer === 'hang' || answer === 'drip';
    const sink = influx(fake.port, {}, waits ? hasty : realTimer);
    const settled = await sink.deliverSamples(points(20));
    expect(outcomes(settled)).toEqual(Array(20).fill('retry'));
    expect(settled[0]).toMatchObject({ reason: expect.stringMatching(reason) });
    expect((settled[0] as { afterMs?: number }).afterMs).toBe(afterMs);
    expect(fake.seen).toHaveLength(1);
    expect(sink.status()).toMatchObject({ connected: false, lastError: expect.stringMatching(reason) });
  });

  test('a connection that the server closed while idle is made anew, unnoticed', async () => {
    const fake = await server(() => ({ status: 204 }));
    const sink = influx(fake.port);
    await sink.deliverSamples(points(1));
    fake.cut();
    expect(outcomes(await sink.deliverSamples(points(1)))).toEqual(['delivered']);
  });

  test('a token file that vanished is a reason to wait, and one that changed is taken up', async () => {
    const fake = await server(({ headers }) => ({
      status: headers.authorization === 'Token new' ? 204 : 401,
    }));
    const tokenFile = secret('old');
    const sink = influx(fake.port, { tokenFile });
    expect(outcomes(await sink.deliverSamples(points(1)))).toEqual(['retry']);
    rmSync(tokenFile);
    expect((await sink.deliverSamples(points(1)))[0]).toMatchObject({
      reason: expect.stringMatching(/can't be read/),
    });
    writeFileSync(tokenFile, 'new');
    expect(outcomes(await sink.deliverSamples(points(1)))).toEqual(['delivered']);
  });

  test.each([
    [{ url: 'http://user:pass@host' }, /user name or password/],
    [{ url: 'mqtt://host' }, /expects http:\/\/ or https:\/\//],
    [{ url: 'http://host', caFile: '/x' }, /not encrypted/],
    [{ url: 'http://host', tokenFile: '/does/not/exist' }, /tokenFile \/does\/not\/exist can't be read/],
  ])('%j is told at start', (config, message) => {
    expect(() => new InfluxSink({ type: 'influx', name: 'influx', ...config }, CONTEXT, deps())).toThrow(
      message,
    );
  });
});

/** As the agent tells it: of two weeks, the one in progress first. */
const performanceOf = (mondayMs: number, trueAlerts: number, missedBefore = 0): PerformanceTelemetry => ({
  incidentsPerHour: 0.5,
  verdicts: trueAlerts + 1,
  precision: trueAlerts / (trueAlerts + 1),
  retrainings: 1,
  weeks: [mondayMs, mondayMs - 7 * 86_400_000].map((fromMs, i) => {
    const counts = {
      trueAlerts: i === 0 ? trueAlerts : 0,
      falseAlerts: 0,
      benignAlerts: 1 - i,
      missed: i === 0 ? 1 : missedBefore,
    };
    return {
      fromMs,
      judged: counts.trueAlerts + counts.benignAlerts,
      ...counts,
      ...operatorFigures(counts),
    };
  }),
});
const MONDAY_MS = Date.UTC(2026, 0, 5);

test('what operators said goes by week, each at its Monday', async () => {
  const lines: ReturnType<typeof parseLine>[] = [];
  let status = 204;
  const fake = await server((request) => {
    if (status === 204) lines.push(...checkedWrite(request));
    return { status };
  });
  const sink = influx(fake.port);
  const [monday, before] = [MONDAY_MS, MONDAY_MS - 7 * 86_400_000].map((ms) => BigInt(ms) * 1_000_000n);
  const told = async (trueAlerts: number, missedBefore = 0): Promise<unknown[]> => {
    const first = lines.length;
    const performance = performanceOf(MONDAY_MS, trueAlerts, missedBefore);
    sink.telemetry({ timeMs: NOW_MS, payload: '{}', health: HEALTH, performance });
    await sink.deliverSamples(points(1));
    const weeks = lines.slice(first).filter(({ measurement }) => measurement === 'edgewood_week');
    return weeks.map(({ timeNs }) => timeNs);
  };
  status = 503;
  expect(await told(1)).toEqual([]);
  status = 204;
  expect(await told(1)).toEqual([monday, before]);
  // The same point again, with what is known by then; a week that is over only where it has changed.
  expect(await told(3)).toEqual([monday]);
  const weeks = lines.filter(({ measurement }) => measurement === 'edgewood_week');
  expect(await told(3, 1)).toEqual([monday, before]);
  expect(await told(3, 1)).toEqual([monday]);
  expect(await told(3, 0)).toEqual([monday, before]);
  expect(weeks[2]).toMatchObject({
    tags: { host: 'web 1', host_id: 'host-1', role: 'we,b=x', site: 'lab' },
    fields: {
      judged: 4n,
      true_alerts: 3n,
      false_alerts: 0n,
      benign_alerts: 1n,
      missed: 1n,
      precision: 0.75,
      recall: 0.75,
      f1: 0.75,
    },
  });
  // Nothing was said of that week: counts, and nothing to divide by.
  expect(weeks[1]?.fields).toEqual({
    judged: 0n,
    true_alerts: 0n,
    false_alerts: 0n,
    benign_alerts: 0n,
    missed: 0n,
  });
});

describe.skipIf(!hasVictoriaMetrics)('InfluxDB sink against a real VictoriaMetrics', () => {
  test('by week: asked for, each week has the figures that were written last', async () => {
    const victoria: Daemon = await startVictoriaMetrics();
    onCleanup(() => victoria.stop());
    const sink = influx(victoria.port);
    for (const trueAlerts of [1, 3, 2]) {
      const performance = performanceOf(MONDAY_MS, trueAlerts);
      sink.telemetry({ timeMs: NOW_MS + trueAlerts, payload: '{}', health: HEALTH, performance });
      await sink.deliverSamples(points(1));
      await fetch(`${victoria.url}/internal/force_flush`);
    }
    const at = async (query: string): Promise<number> => {
      const time = String(MONDAY_MS / 1000 + 3600);
      const answer = await fetch(`${victoria.url}/api/v1/query?${new URLSearchParams({ query, time })}`);
      const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
      return Number(data.result[0]?.value[1]);
    };
    expect(await at('last_over_time(edgewood_week_precision[1d])')).toBeCloseTo(2 / 3, 9);
    expect(await at('last_over_time(edgewood_week_f1[1d])')).toBeCloseTo(2 / 3, 9);
    expect(await at('last_over_time(edgewood_week_missed[1d])')).toBe(1);
    expect(await at('last_over_time(edgewood_week_missed[1d] offset 7d)')).toBe(0);
  });

  test('what was written can be read back, and twice is once', async () => {
    const victoria: Daemon = await startVictoriaMetrics();
    onCleanup(() => victoria.stop());
    const sink = influx(victoria.port);
    const now = Date.now() - 60_000;
    const batch = Array.from({ length: 300 }, (_, i) => point(now + i, i));
    for (let twice = 0; twice < 2; twice++) {
      expect(new Set(outcomes(await sink.deliverSamples(batch)))).toEqual(new Set(['delivered']));
    }
    const [cpu] = await exported(victoria, 'edgewood_sample_cpu');
    expect(cpu?.metric).toMatchObject({ host: 'web 1', host_id: 'host-1', role: 'we,b=x', site: 'lab' });
    const read = new Map(cpu?.timestamps.map((t, i) => [t, cpu.values[i]]));
    expect(read.size).toBe(300);
    for (const { timeMs, values } of batch) expect(read.get(timeMs)).toBe(values[0]);
  });
});

const ALERT = {
  incidentId: 'abc',
  state: 'opened',
  severity: 'info',
  trigger: 'surprise',
  provisional: false,
  openedAt: '2026-01-01T00:00:00.000Z',
  sampledAt: '2026-01-01T00:01:00.000Z',
  resolvedAt: null,
  host: { id: 'h', name: 'web', labels: { 'my role': 'x' } },
  explanation: { sentence: 'CPU 97 %' },
} as unknown as AlertData;

describe('webhook sink', () => {
  test('CloudEvents: one request an event, in order, with the token', async () => {
    const fake = await server(({ headers, body, path }) => {
      expect(path).toBe('/hook');
      expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
      expect(headers.authorization).toBe('Bearer t0ken');
      expect(JSON.parse(body)).toMatchObject({ specversion: '1.0' });
      return { status: 202 };
    });
    const sink = webhook(fake.port, { tokenFile: secret('t0ken') });
    expect(outcomes(await sink.deliver([storedEvent(1), storedEvent(2, 'info')]))).toEqual(
      Array(2).fill('delivered'),
    );
    expect(fake.seen.map(({ body }) => (JSON.parse(body) as { id: string }).id)).toEqual(['e1-1', 'e1-2']);
  });

  test('only the severities asked for', async () => {
    const fake = await server(() => ({ status: 200 }));
    const sink = webhook(fake.port, { minimumSeverity: 'warning' });
    await sink.deliver([storedEvent(1), storedEvent(2, 'info'), storedEvent(3, 'critical')]);
    expect(fake.seen).toHaveLength(1);
    expect(sink.status().counters).toMatchObject({ leftOut: 2 });
  });

  test('a refused event is poison, what waits makes all behind it wait', async () => {
    const fake = await server((_request, nth) => ({ status: nth === 1 ? 422 : 500 }));
    const sink = webhook(fake.port);
    const settled = await sink.deliver([1, 2, 3, 4].map((n) => storedEvent(n)));
    expect(outcomes(settled)).toEqual(['poison', 'retry', 'retry', 'retry']);
    expect(fake.seen).toHaveLength(2);
  });

  test('Alertmanager: a rise ends the lower alert, an end ends them all, and names are Prometheus names', () => {
    const [only, ...none] = alertmanagerAlerts(ALERT, 'lab');
    expect(none).toEqual([]);
    expect(only?.labels).toMatchObject({ severity: 'info', incident: 'abc', my_role: 'x', instance: 'web' });
    expect(Date.parse(only?.endsAt ?? '')).toBeGreaterThan(Date.parse(ALERT.sampledAt));
    const risen = alertmanagerAlerts({ ...ALERT, state: 'updated', severity: 'warning' }, 'lab');
    expect(risen.map(({ labels, endsAt }) => [labels['severity'], endsAt > '2026-01-01T01'])).toEqual([
      ['info', false],
      ['warning', true],
    ]);
    const resolvedAt = '2026-01-01T00:02:00.000Z';
    const over = alertmanagerAlerts({ ...ALERT, state: 'resolved', severity: 'critical', resolvedAt }, 'lab');
    expect(over.map(({ endsAt }) => endsAt)).toEqual([resolvedAt, resolvedAt, resolvedAt]);
  });
});

function webhook(port: number, more: Partial<SinkConfig> = {}): WebhookSink {
  const url = `http://127.0.0.1:${port}/hook`;
  const sink = new WebhookSink({ type: 'webhook', name: 'webhook', url, ...more }, CONTEXT, deps(realTimer));
  onCleanup(() => sink.close());
  sink.start(() => {});
  return sink;
}

describe.skipIf(!hasAlertmanager)('webhook sink against a real Alertmanager', () => {
  test('an alert fires there with its labels, and ends', async () => {
    const alertmanager = await startAlertmanager();
    onCleanup(() => alertmanager.stop());
    const sink = webhook(alertmanager.port, { format: 'alertmanager', url: alertmanager.url });
    const now = Date.now();
    const at = (ms: number): string => new Date(now + ms).toISOString();
    const event = (n: number, change: object) => ({
      ...storedEvent(n, 'warning'),
      timeMs: now,
      data: JSON.stringify({
        ...ALERT,
        severity: 'warning',
        openedAt: at(-2000),
        sampledAt: at(-1000),
        ...change,
      }),
    });
    const firing = async (): Promise<
      { labels: Record<string, string>; annotations: Record<string, string> }[]
    > => (await (await fetch(`${alertmanager.url}/api/v2/alerts?active=true`)).json()) as never;
    expect(outcomes(await sink.deliver([event(1, {}), storedEvent(9)]))).toEqual(['delivered', 'delivered']);
    const [alert, ...others] = await firing();
    expect(others).toEqual([]);
    expect(alert?.labels).toMatchObject({ alertname: 'EdgewoodIncident', severity: 'warning', site: 'lab' });
    expect(alert?.annotations['summary']).toBe('CPU 97 %');
    await sink.deliver([event(2, { state: 'resolved', resolvedAt: at(-500) })]);
    expect(await firing()).toEqual([]);
  });
});

describe('what an answer means', () => {
  test('Retry-After: seconds, a date, nonsense; never beyond an hour', () => {
    expect(retryAfterMs('3', 0)).toBe(3000);
    expect(retryAfterMs(new Date(NOW_MS + 5000).toUTCString(), NOW_MS)).toBe(5000);
    expect(retryAfterMs('Thu, 01 Jan 1970 00:00:00 GMT', NOW_MS)).toBe(0);
    expect(retryAfterMs('99999999', 0)).toBe(3_600_000);
    expect(retryAfterMs('soon', 0)).toBeNull();
  });

  test('whatever a server says, a verdict of one line', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999 }),
        fc.string({ unit: 'binary' }),
        fc.string(),
        (status, body, retryAfter) => {
          const verdict = judge({ kind: 'answer', status, body, retryAfter }, 'http://x', 0);
          if (verdict.kind === 'delivered') expect(status >= 200 && status < 300).toBe(true);
          else expect(verdict.reason).not.toMatch(/\p{C}/u);
        },
      ),
    );
  });

  test('splitting: each item is sent until its own fate is known, and delivered once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('good', 'poison'), { maxLength: 60 }), async (kinds) => {
        const items = kinds.map((kind, i) => ({ kind, i }));
        const sent: number[] = [];
        const settled = await sendSplitting(items, async (part) => {
          expect(part.length).toBeGreaterThan(0);
          if (part.some(({ kind }) => kind === 'poison')) return { kind: 'refused', reason: 'no' };
          sent.push(...part.map(({ i }) => i));
          return { kind: 'delivered' };
        });
        expect(outcomes(settled)).toEqual(kinds.map((kind) => (kind === 'good' ? 'delivered' : 'poison')));
        expect(sent.sort((a, b) => a - b)).toEqual(
          items.flatMap(({ kind, i }) => (kind === 'good' ? [i] : [])),
        );
      }),
    );
  });

  test('garbage instead of HTTP is a failure, in bounded time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        const { createServer } = await import('node:net');
        const raw = createServer((socket) => {
          socket.on('error', () => {});
          socket.end(bytes);
        });
        await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
        const { port } = raw.address() as { port: number };
        const endpoint = {
          tls: false,
          host: '127.0.0.1',
          port,
          path: '/',
          query: new URLSearchParams(),
          target: 't',
        };
        const client = new HttpClient({ type: 'webhook', name: 'w' }, endpoint, hasty);
        const answer = await client.post({ path: '/', headers: {}, body: 'x' });
        client.close();
        raw.close();
        expect(answer.kind).toBe('failure');
      }),
      { numRuns: 50 },
    );
  });
});

function conformant(
  make: (port: number) => InfluxSink | WebhookSink,
  idsOf: (request: SeenRequest) => string[],
) {
  return async (): Promise<SinkFixture> => {
    const taken = queue<{ id: string }>();
    let stalled = false;
    const fake = await server((request) => {
      if (stalled) return 'hang';
      for (const id of idsOf(request)) taken.put({ id });
      return { status: 204 };
    });
    return {
      sink: make(fake.port),
      next: taken.next,
      stall: () => {
        stalled = true;
      },
      lose: () => {
        setTimeout(() => {
          stalled = false;
          fake.cut();
        }, 30);
      },
      recovers: true,
    };
  };
}

sinkConformance(
  'InfluxDB',
  conformant(
    (port) => new InfluxSink({ type: 'influx', name: 'i', url: `http://127.0.0.1:${port}` }, CONTEXT, deps()),
    ({ body }) =>
      body
        .split('\n')
        .map(parseLine)
        .map(({ fields }) => `${fields['sequence_epoch']}-${fields['sequence']}`),
  ),
);
sinkConformance(
  'webhook',
  conformant(
    (port) =>
      new WebhookSink({ type: 'webhook', name: 'w', url: `http://127.0.0.1:${port}/` }, CONTEXT, deps()),
    ({ body }) => [(JSON.parse(body) as { id: string }).id],
  ),
);
