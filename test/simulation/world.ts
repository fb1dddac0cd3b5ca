import { Agent } from '../../agent/agent.ts';
import { resolveConfig } from '../../agent/config/config.ts';
import { Figures } from '../../agent/figures.ts';
import { Outward } from '../../agent/outward.ts';
import type { Sink } from '../../agent/sinks/sink.ts';
import { openSqliteStore, type SqliteStore } from '../../agent/store/sqlite-store.ts';
import { type Store, StoreCorruptError, type StoreLimits } from '../../agent/store/store.ts';
import { Sampler } from '../../collector/sampler.ts';
import type { StoredEvent } from '../../core/protocol/events.ts';
import { Random } from '../../core/random.ts';
import { ModelSlots } from '../../models/slots.ts';
import { SAME_IDENTITY } from '../support/identity.ts';
import { SimulatedClock } from './clock.ts';
import { SimulatedDisk } from './disk.ts';
import { FarSide, SimulatedSampleSink, SimulatedSink } from './network.ts';
import { SimulatedSource } from './source.ts';

const START_MS = 1_700_000_000_000;
export const INTERVAL_MS = 5000;

export interface WorldOptions {
  readonly seed: number;
  readonly limits: StoreLimits;
  /** Told of every event that arrives anywhere, with the store as it is then. */
  /** What the agent itself has stored. */
  readonly onStored?: (event: StoredEvent) => void;
  readonly onEvent: (far: FarSide, event: StoredEvent, store: Store | null) => void;
}

/** One process of the agent: the real loop, store and delivery. */
interface Process {
  readonly store: SqliteStore;
  readonly agent: Agent;
  readonly outward: Outward;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** A host, its clocks, its disk, its network, and the agent on it, which may die and come back. */
export class World {
  readonly random: Random;
  readonly clock = new SimulatedClock(START_MS);
  readonly disk: SimulatedDisk;
  readonly source: SimulatedSource;
  readonly fars: readonly FarSide[];
  readonly errors: unknown[] = [];
  readonly logged = new Map<string, number>();
  readonly #options: WorldOptions;
  process: Process | null = null;
  samples = 0;
  starts = 0;
  epochReasons: string[] = [];
  #corrupt = false;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new Random(options.seed);
    this.disk = new SimulatedDisk(this.random);
    this.source = new SimulatedSource(this.clock, this.random);
    const far = (name: string, kind: FarSide['kind']): FarSide =>
      new FarSide(name, kind, this.clock, this.random);
    this.fars = [far('mqtt', 'mqtt'), far('hub', 'hub'), far('influx', 'influx')];
    for (const one of this.fars) {
      one.onEvent = (event) => this.#options.onEvent(one, event, this.process?.store ?? null);
    }
  }

  hex(bytes: number): string {
    return Array.from({ length: bytes }, () =>
      (this.random.uint32() & 255).toString(16).padStart(2, '0'),
    ).join('');
  }

  start(): void {
    const owner = new AbortController();
    const setTimer = (callback: () => void, ms: number): (() => void) =>
      this.clock.setTimer(callback, ms, owner);
    const store = openSqliteStore({
      stateDir: this.disk.directory,
      openDatabase: this.disk.openDatabase,
      nowMs: () => this.clock.nowMs(),
      randomHex: (bytes) => this.hex(bytes),
      limits: this.#options.limits,
      onCorrupt: () => {
        this.#corrupt = true;
      },
    });
    this.starts++;
    this.epochReasons.push(store.epochReason);
    const synced = this.#syncing(store);
    const log = (_level: string, event: string): void =>
      void this.logged.set(event, (this.logged.get(event) ?? 0) + 1);
    const sinks = this.fars.map(
      (far): Sink =>
        far.kind === 'influx' ? new SimulatedSampleSink(far, owner) : new SimulatedSink(far, owner),
    );
    synced.registerSinks(sinks.map((sink) => sink.name));
    const random = (): number => this.random.float();
    const outward = new Outward({ store: synced, clock: this.clock, random, log, setTimer }, sinks);
    const values = new Map<string, unknown>([
      ['stateDir', this.disk.directory],
      ['learning.warmup', 15 * 60_000],
      ['learning.refit', 'off'],
      ['budget.info', 50],
    ]);
    const agent = new Agent({
      identity: SAME_IDENTITY,
      survey: null,
      config: resolveConfig([{ values, sinks: [] }]),
      version: '1.2.3',
      hostId: 'host',
      bootId: this.hex(4),
      source: this.source,
      store: synced,
      slots: new ModelSlots(this.disk.directory),
      central: null,
      outward,
      memory: () => ({ residentBytes: 1, proportionalBytes: null }),
      figures: new Figures(() => this.clock.monotonicMs()),
      clock: this.clock,
      log,
      newId: () => this.hex(8),
      setImmediate: (callback) => void setTimer(callback, 0),
      publish: (message) => {
        if ('event' in message) this.#options.onStored?.(message.event as StoredEvent);
      },
    });
    const sampler = new Sampler(this.source, {
      intervalMs: INTERVAL_MS,
      clock: this.clock,
      timers: {
        setTimeout: setTimer,
        clearTimeout: (handle) => (handle as (() => void) | undefined)?.(),
        setImmediate: (callback) => setTimer(callback, 0),
      },
    });
    agent.start();
    outward.start();
    const ended = sampler
      .run((sample, meta) => {
        this.samples++;
        agent.onSample(sample, meta);
      }, owner.signal)
      .catch((error: unknown) => {
        if (error instanceof StoreCorruptError) this.#corrupt = true;
        else this.errors.push(error);
      });
    this.process = { store, agent, outward, abort: owner, ended };
  }

  /** The disk is told after every call that came back from an fsync. */
  #syncing(store: SqliteStore): Store {
    const durable = new Set<PropertyKey>(['commitTransition', 'registerSinks', 'pending']);
    let position = -1;
    return new Proxy<Store>(store, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        const bound = value.bind(target) as (...args: unknown[]) => unknown;
        if (!durable.has(key)) return bound;
        return (...args: unknown[]) => {
          const result = bound(...args);
          const now = store.position();
          if (now !== position) this.disk.sync();
          position = now;
          return result;
        };
      },
    });
  }

  /** What a supervisor does about a database that was found to be damaged. */
  mendCorruption(): void {
    if (!this.#corrupt) return;
    this.#corrupt = false;
    this.crash();
    this.start();
  }

  #end(): void {
    const { process } = this;
    this.process = null;
    if (process === null) return;
    this.clock.forget(process.abort);
    process.abort.abort();
    void process.outward.abandon(0);
  }

  crash(): void {
    this.#end();
    this.disk.crash();
  }

  powerCut(): string {
    this.#end();
    return this.disk.powerCut();
  }

  /** SIGTERM: says goodbye and closes. */
  stop(): void {
    const { process } = this;
    if (process === null) return;
    process.abort.abort();
    process.agent.stop();
    this.#end();
    process.store.close();
  }

  /** Runs for so long. @param check after everything that happens */
  run(ms: number, check: () => void): Promise<void> {
    return this.clock.run(this.clock.monotonicMs() + ms, () => {
      this.mendCorruption();
      check();
    });
  }

  remove(): void {
    this.#end();
    this.disk.remove();
  }
}
