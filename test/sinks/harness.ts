import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { MqttClient } from 'mqtt';
import { afterEach } from 'vitest';
import type { SinkConfig } from '../../agent/config/config.ts';
import { MqttSink } from '../../agent/sinks/mqtt/mqtt-sink.ts';
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts';
import { IDENTITY } from '../support/sinks.ts';

/** What the tests of sinks share: brokers, proxies, subscribers; all gone after each test. */

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
export const onCleanup = (cleanup: () => Promise<void> | void): void => void cleanups.push(cleanup);

export const NOW_MS = 1_700_000_100_000;
export const BASE = 'edgewood/1/lab/a/host-1';
export const url = (port: number): string => `mqtt://127.0.0.1:${port}`;
/** Its ends by `skipIf` say why. */
export const REAL = 'against a real mosquitto (skipped only where it is not installed, never in CI)';

export async function broker(...args: Parameters<typeof startMosquitto>): Promise<Mosquitto> {
  const mosquitto = await startMosquitto(...args);
  onCleanup(() => mosquitto.stop());
  return mosquitto;
}

export interface Started {
  readonly sink: MqttSink;
  readonly logged: { event: string; fields: Record<string, unknown> }[];
  readyCalls: number;
  /** Resolves when the sink is ready. */
  ready(): Promise<void>;
  logs(event: string, count?: number): Promise<void>;
}

/** A sink on real time, whose backoff is short. @param lasts for a test that has no time for some waits */
export function start(
  config: Partial<SinkConfig> & { url: string },
  lasts: (ms: number) => number = (ms) => ms,
): Started {
  const logged: Started['logged'] = [];
  const waiting: (() => void)[] = [];
  const watching: (() => void)[] = [];
  const sink = new MqttSink({ type: 'mqtt', name: 'mqtt', ...config }, IDENTITY, {
    nowMs: () => NOW_MS,
    random: () => 0.02,
    setTimer: (callback, ms) => {
      const timer = setTimeout(callback, lasts(ms));
      return () => clearTimeout(timer);
    },
    log: (_level, event, fields = {}) => {
      logged.push({ event, fields });
      for (const look of watching) look();
    },
  });
  const started: Started = {
    sink,
    logged,
    readyCalls: 0,
    ready: () => (sink.connected() ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    logs: (event, count = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (logged.filter((line) => line.event === event).length >= count) resolve();
        };
        watching.push(look);
        look();
      }),
  };
  onCleanup(() => sink.close(500));
  sink.start(() => {
    started.readyCalls++;
    for (const resolve of waiting.splice(0)) resolve();
  });
  return started;
}

export interface Received {
  readonly topic: string;
  readonly text: string;
  readonly retain: boolean;
  readonly expiry: number | undefined;
  readonly contentType: string | undefined;
}

/** Takes things as they come, whether they are asked for before or after. */
export function queue<T>(): { put(item: T): void; next(): Promise<T>; readonly items: readonly T[] } {
  const items: T[] = [];
  const waiting: ((item: T) => void)[] = [];
  return {
    items,
    put: (item) => {
      const resolve = waiting.shift();
      if (resolve === undefined) items.push(item);
      else resolve(item);
    },
    next: () => {
      const item = items.shift();
      return item === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(item);
    },
  };
}

export interface Subscriber {
  readonly client: MqttClient;
  next(): Promise<Received>;
}

export async function subscribe(port: number, filter: string): Promise<Subscriber> {
  const client = new MqttClient(() => connectTcp(port, '127.0.0.1'), {
    protocolVersion: 5,
    reconnectPeriod: 0,
  });
  onCleanup(() => void client.end(true));
  const received = queue<Received>();
  client.on('message', (topic, payload, packet) => {
    received.put({
      topic,
      text: payload.toString(),
      retain: packet.retain,
      expiry: packet.properties?.messageExpiryInterval,
      contentType: packet.properties?.contentType,
    });
  });
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
  });
  await client.subscribeAsync(filter, { qos: 1 });
  return { client, next: received.next };
}

export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A server of ours that answers a connection as told; what stays open is cut after the test. */
export function serve(onSocket: (socket: Socket, nth: number) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
    onSocket(socket, sockets.length);
  });
  onCleanup(() => {
    for (const socket of sockets) socket.destroy();
  });
  return listen(server);
}

export interface Proxy {
  readonly port: number;
  /** Holds back what the broker says. */
  stall(): void;
  /** Cuts every connection, without a word, and lets new ones through. */
  cut(): void;
}

/** Between a sink and its broker: the network that fails. */
export async function proxy(target: number): Promise<Proxy> {
  let pairs: { near: Socket; far: Socket }[] = [];
  const port = await serve((near) => {
    const far = connectTcp(target, '127.0.0.1');
    far.on('error', () => {});
    near.on('data', (chunk) => void far.write(chunk));
    far.on('data', (chunk) => void near.write(chunk));
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    pairs.push({ near, far });
  });
  return {
    port,
    stall: () => {
      for (const { far } of pairs) far.pause();
    },
    cut: () => {
      for (const { near, far } of pairs.splice(0)) {
        far.destroy();
        near.resetAndDestroy();
      }
      pairs = [];
    },
  };
}
