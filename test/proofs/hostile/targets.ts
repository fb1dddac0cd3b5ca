import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { ConfigError, resolveConfig } from '../../../agent/config/config.ts';
import { parseConfig } from '../../../agent/config/file.ts';
import { InfluxSink } from '../../../agent/sinks/influx/influx-sink.ts';
import { MqttSink } from '../../../agent/sinks/mqtt/mqtt-sink.ts';
import { openSqliteStore } from '../../../agent/store/sqlite-store.ts';
import { StoreCorruptError, StoreFullError, StoreUnusableError } from '../../../agent/store/store.ts';
import { createSource } from '../../../collector/create.ts';
import { SourceError } from '../../../collector/source.ts';
import { Random } from '../../../core/random.ts';
import { SMALL_SCHEMA } from '../../support/series.ts';
import { IDENTITY, storedEvent } from '../../support/sinks.ts';
import { mutate, pick } from './mutate.ts';

/** One input from an enemy. Throws what must never come: anything but the errors that are promised. */
export interface Target {
  readonly name: string;
  run(random: Random): Promise<void>;
  close(): Promise<void>;
}

const nothing = async (): Promise<void> => {};
const realTimer = (callback: () => void, ms: number): (() => void) => {
  // Waits of seconds are milliseconds: an enemy that says nothing must not take all night.
  const timer = setTimeout(callback, ms / 500);
  return () => clearTimeout(timer);
};

/** A server that answers every connection with bytes of its owner's. */
async function answering(): Promise<{ port: number; say(bytes: Buffer): void; close(): Promise<void> }> {
  let bytes = Buffer.alloc(0);
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    socket.once('data', () => socket.end(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    say: (next) => {
      bytes = Buffer.from(next);
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const OUTCOMES = new Set(['delivered', 'retry', 'poison']);
function checkSettled(settled: readonly { outcome: string }[], length: number): void {
  if (settled.length !== length || !settled.every(({ outcome }) => OUTCOMES.has(outcome))) {
    throw new Error(`settled as ${JSON.stringify(settled)}`);
  }
}

const publish = (topic: string, payload: string): Buffer => {
  const body = Buffer.concat([
    Buffer.from([0, topic.length]),
    Buffer.from(topic),
    Buffer.from([0]),
    Buffer.from(payload),
  ]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
};
/** CONNACK, PUBACK, SUBACK, a publish, DISCONNECT: what a broker of version 5 says. */
const BROKER_SAYS = Buffer.concat([
  Buffer.from([0x20, 3, 0, 0, 0]),
  Buffer.from([0x40, 2, 0, 1]),
  Buffer.from([0x90, 5, 0, 2, 0, 1, 1]),
  publish('edgewood/1/lab/a/host-1/ack', '{"schemaVersion":1,"epoch":"e1","ranges":[[1,2]]}'),
  Buffer.from([0xe0, 1, 0]),
]);

async function mqttTarget(): Promise<Target> {
  const server = await answering();
  return {
    name: 'MQTT packets',
    run: async (random) => {
      server.say(mutate(random, BROKER_SAYS));
      const ended = Promise.withResolvers<void>();
      const sink = new MqttSink(
        { type: 'mqtt', name: 'mqtt', url: `mqtt://127.0.0.1:${server.port}`, acknowledge: 'hub' },
        IDENTITY,
        {
          nowMs: Date.now,
          random: () => 1,
          setTimer: realTimer,
          log: (_level, event) => void (event === 'mqtt.disconnected' && ended.resolve()),
        },
      );
      sink.start(() => void sink.deliver([storedEvent(1)]).then((settled) => checkSettled(settled, 1)));
      await ended.promise;
      checkSettled(await sink.deliver([storedEvent(2)]), 1);
      await sink.close(20);
    },
    close: server.close,
  };
}

const HTTP_SAYS = [
  'HTTP/1.1 204 No Content\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n',
  'HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 21\r\n\r\n{"message":"too many"}',
  'HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
].map((text) => Buffer.from(text));

async function httpTarget(): Promise<Target> {
  const server = await answering();
  const context = { identity: IDENTITY, hostName: 'h', labels: {}, schema: SMALL_SCHEMA };
  return {
    name: 'HTTP answers',
    run: async (random) => {
      server.say(mutate(random, pick(random, HTTP_SAYS)));
      const config = { type: 'influx', name: 'i', url: `http://127.0.0.1:${server.port}` } as const;
      const sink = new InfluxSink(config, context, { nowMs: Date.now, setTimer: realTimer, log: () => {} });
      sink.start(() => {});
      checkSettled(await sink.deliver([storedEvent(1), storedEvent(2)]), 2);
      await sink.close();
    },
    close: server.close,
  };
}

const CONFIGURATION = Buffer.from(`interval: 5s
site: berlin
labels: { role: web, rack: "7" }
budget: { info: 1/day, warning: 1/week, critical: 1/month }
retention: { samples: 14d, databaseBytes: 512MB }
network: { include: [eth0, "en*"] }
sinks:
  - type: mqtt
    url: mqtts://broker:8883
    usernameFile: /etc/edgewood/user
  - &x { type: influx, url: "http://influx:8086?org=o", bucket: b }
`);

const configurationTarget: Target = {
  name: 'configuration',
  run: async (random) => {
    try {
      resolveConfig([parseConfig(mutate(random, CONFIGURATION).toString('utf8'), 'agent.yaml')]);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
    }
  },
  close: nothing,
};

const RECORDING = Buffer.from(
  [
    'timestamp,cpu,memory,network,label',
    ...Array.from(
      { length: 60 },
      (_, i) => `2026-01-01T00:00:${String(i).padStart(2, '0')}Z,${i % 9},"40",${i * 1e3},0`,
    ),
  ].join('\n'),
);

function replayTarget(): Target {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-fuzz-'));
  const file = join(directory, 'r.csv');
  return {
    name: 'replay files',
    run: async (random) => {
      writeFileSync(file, mutate(random, RECORDING));
      const source = createSource(`replay:${file}`, {
        intervalMs: 1000,
        view: 'auto',
        pace: 'max',
        networkInclude: undefined,
        networkExclude: undefined,
      });
      try {
        await source.open();
        for (let sample = await source.read(); sample !== null; sample = await source.read()) {
          if (!Number.isFinite(sample.timeMs) || sample.values.length !== source.schema.length) {
            throw new Error('a sample without time or shape');
          }
        }
      } catch (error) {
        if (!(error instanceof SourceError)) throw error;
      } finally {
        await source.close();
      }
    },
    close: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

const PROMISED = [StoreCorruptError, StoreFullError, StoreUnusableError];

function databaseTarget(): Target {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-fuzz-'));
  let hex = 0;
  const open = (stateDir: string) =>
    openSqliteStore({
      stateDir,
      openDatabase: (path) => new Database(path),
      nowMs: () => 1_700_000_000_000,
      randomHex: (bytes) => (hex++).toString(16).padStart(2 * bytes, '0'),
    });
  const event = (n: number) =>
    ({
      type: 'edgewood.incident',
      severity: 'info',
      timeMs: n,
      subject: 's',
      data: () => '{"a":1}',
    }) as const;
  const valid = join(work, 'valid');
  const store = open(valid);
  store.registerSinks(['mqtt', 'influx']);
  for (let n = 1; n <= 200; n++) {
    store.appendSample({ timeMs: n, values: Float64Array.of(n, 2), score: 1, flags: 0 });
    if (n % 5 === 0) store.commitTransition({ events: [event(n)], state: { watcher: '{}' } });
  }
  store.settle(
    'mqtt',
    [{ epoch: store.epoch, n: 1 }],
    [{ sequence: { epoch: store.epoch, n: 2 }, reason: 'r' }],
  );
  store.close();
  const names = ['edgewood.db', 'sequence.json'];
  const files = new Map(names.map((name) => [name, readFileSync(join(valid, name))]));
  return {
    name: 'database files',
    run: async (random) => {
      const stateDir = join(work, 'fuzz');
      rmSync(stateDir, { recursive: true, force: true });
      mkdirSync(stateDir);
      const damaged = pick(random, [['edgewood.db'], ['edgewood.db'], ['sequence.json'], names]);
      for (const [name, bytes] of files) {
        writeFileSync(join(stateDir, name), damaged.includes(name) ? mutate(random, bytes) : bytes);
      }
      try {
        const opened = open(stateDir);
        try {
          opened.registerSinks(['mqtt', 'webhook']);
          for (const name of ['mqtt', 'webhook']) {
            const pending = opened.pending(name, 50);
            opened.settle(
              name,
              pending.slice(0, 5).map(({ sequence }) => sequence),
              [],
            );
          }
          for (const row of opened.samples(0, 1e15))
            if (!Number.isFinite(row.timeMs)) throw new Error('no time');
          opened.commitTransition({ events: [event(1)] });
          opened.maintain(1e12);
          opened.incidents(5);
          opened.poisoned('mqtt', 5);
        } finally {
          opened.close();
        }
      } catch (error) {
        if (!PROMISED.some((promised) => error instanceof promised)) throw error;
      }
    },
    close: async () => rmSync(work, { recursive: true, force: true }),
  };
}

export const makeTargets = async (): Promise<Target[]> => [
  await mqttTarget(),
  await httpTarget(),
  configurationTarget,
  replayTarget(),
  databaseTarget(),
];

export interface Fuzzed {
  readonly name: string;
  readonly executions: number;
  readonly crashes: readonly { readonly seed: number; readonly error: string }[];
  readonly seconds: number;
}

/** Each execution has a seed of its own: one that fails replays alone. */
const EXECUTIONS_PER_PAUSE = 500;

/** `pause` runs every 500 executions. */
export async function fuzz(
  target: Target,
  executions: number,
  firstSeed: number,
  pause?: () => Promise<void>,
): Promise<Fuzzed> {
  const crashes: { seed: number; error: string }[] = [];
  const begin = performance.now();
  for (let seed = firstSeed; seed < firstSeed + executions; seed++) {
    try {
      await target.run(new Random(seed));
    } catch (error) {
      crashes.push({ seed, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      if (crashes.length >= 10) break;
    }
    if ((seed - firstSeed) % EXECUTIONS_PER_PAUSE === 0) await pause?.();
  }
  return {
    name: target.name,
    executions,
    crashes,
    seconds: Math.round((performance.now() - begin) / 100) / 10,
  };
}
