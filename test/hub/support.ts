import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { openDatabase } from '../../agent/native.ts';
import type { Broker } from '../../hub/broker.ts';
import { Hub } from '../../hub/hub.ts';
import type { OpenDatabase } from '../../hub/store/schema.ts';
import { HubStore, type HubStoreLimits } from '../../hub/store/store.ts';
import { SITE, START_MS } from './messages.ts';

/** What the tests of the hub share. */

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
export const onCleanup = (cleanup: () => Promise<void> | void): void => void cleanups.push(cleanup);

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-hub-'));
  onCleanup(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export const hubDatabase: OpenDatabase = (path, options = {}) =>
  openDatabase(path, options.readonly === true ? { readonly: true, fileMustExist: true } : {});

export function openStore(
  directory: string,
  nowMs: () => number = () => START_MS,
  limits: HubStoreLimits = { retentionMs: 90 * 86_400_000, maxBytes: 1e9 },
): HubStore {
  return HubStore.open(directory, { openDatabase: hubDatabase, nowMs, randomHex: () => 'abcdef', limits });
}

/** Keeps what is published; nothing is retained on it. */
export class RecordingBroker implements Broker {
  readonly published: { topic: string; document: Record<string, unknown> }[] = [];
  failing = false;
  /** Subscriptions. */
  refusing = false;

  async publish(topic: string, payload: string | Uint8Array): Promise<void> {
    if (this.failing) throw new Error('not connected');
    this.published.push({ topic, document: JSON.parse(String(payload)) as Record<string, unknown> });
  }

  async subscribe(filters: readonly string[]) {
    return filters.map((filter) => ({ filter, granted: !this.refusing, code: this.refusing ? 0x87 : 1 }));
  }

  async unsubscribe(): Promise<void> {}

  async readRetained(topics: readonly string[]) {
    return { found: new Map<string, Uint8Array>(), absent: [...topics], refused: [] };
  }

  async listRetained() {
    return new Set<string>();
  }

  /** Documents on topics that end so, taken away. */
  take(end: RegExp): { topic: string; document: Record<string, unknown> }[] {
    const taken = this.published.filter(({ topic }) => end.test(topic));
    this.published.splice(
      0,
      this.published.length,
      ...this.published.filter(({ topic }) => !end.test(topic)),
    );
    return taken;
  }
}

/** A hub on simulated time and a real store. */
export class Scene {
  readonly broker = new RecordingBroker();
  readonly logged: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  readonly directory: string;
  store: HubStore;
  hub: Hub;
  nowMs = START_MS;
  failure: unknown = null;
  #timers: { atMs: number; callback: () => void }[] = [];

  constructor(settings: { silentAfterMs?: number; directory?: string } = {}) {
    this.directory = settings.directory ?? temporaryDirectory();
    this.store = openStore(this.directory, () => this.nowMs);
    this.hub = this.#make(settings.silentAfterMs ?? 60_000);
    onCleanup(() => this.store.close());
    this.hub.start();
    this.hub.connected();
  }

  #make(silentAfterMs: number): Hub {
    return new Hub(
      { sites: [SITE], shard: { index: 1, count: 1 }, silentAfterMs },
      {
        store: this.store,
        broker: this.broker,
        reader: this.broker,
        log: (_level, event, fields = {}) => void this.logged.push({ event, fields }),
        nowMs: () => this.nowMs,
        setTimer: (callback, ms) => {
          const timer = { atMs: this.nowMs + ms, callback };
          this.#timers.push(timer);
          return () => {
            this.#timers = this.#timers.filter((one) => one !== timer);
          };
        },
        onTick: () => {},
        onFailure: (error) => {
          this.failure = error;
        },
      },
    );
  }

  /** Lets time pass, timer by timer, and what they begin come to its end. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.callback();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.nowMs = endMs;
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** The clock is set; timers know nothing of it. */
  jump(ms: number): void {
    this.nowMs += ms;
    for (const timer of this.#timers) timer.atMs += ms;
  }

  /** As after kill -9: what was not stored is gone. */
  crash(): void {
    this.#timers = [];
    this.store.close();
    this.store = openStore(this.directory, () => this.nowMs);
    this.hub = this.#make(60_000);
    this.hub.start();
    this.hub.connected();
  }
}
