import { Agent, type AgentDependencies } from '../../agent/agent.ts';
import { resolveConfig } from '../../agent/config/config.ts';
import { Figures } from '../../agent/figures.ts';
import type { Fields, Level, Log } from '../../agent/log.ts';
import { Outward } from '../../agent/outward.ts';
import type { Sink } from '../../agent/sinks/sink.ts';
import { MemoryStore } from '../../agent/store/memory-store.ts';
import { type Store, StoreFullError } from '../../agent/store/store.ts';
import type { Source } from '../../collector/source.ts';
import type { StoredEvent } from '../../core/protocol/events.ts';
import { ModelSlots } from '../../models/slots.ts';
import { SAME_IDENTITY } from './identity.ts';
import { SMALL_SCHEMA, smallSeries } from './series.ts';

export const INTERVAL_MS = 5000;
const START_MS = 1_700_000_000_000;

export interface ScriptOptions {
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly kind?: Source['kind'];
  readonly survey?: AgentDependencies['survey'];
  /** Made anew at each start, with the log of the script. */
  readonly central?: (stateDir: string, log: Log) => AgentDependencies['central'];
}

/** All that outlives the process of an agent: disk and clock. And the agent, which may be started over and over. */
export class ScriptedAgent {
  readonly #options: ScriptOptions;
  readonly #columns = smallSeries(5000, 5);
  readonly #stateDir: string;
  readonly memory: MemoryStore;
  readonly slots: ModelSlots;
  readonly store: Store;
  /** While true, whatever writes is refused as by a full disk. */
  full = false;
  nowMs = START_MS;
  #row = 0;
  #ids = 0;
  #immediates: (() => void)[] = [];
  readonly logged: { level: Level; event: string; fields: Fields }[] = [];
  readonly delivered: StoredEvent[] = [];
  readonly telemetry: object[] = [];
  readonly published: object[] = [];
  agent: Agent;

  constructor(stateDir: string, options: ScriptOptions = {}) {
    this.#options = options;
    this.#stateDir = stateDir;
    let hex = 0;
    this.memory = new MemoryStore({
      nowMs: () => this.nowMs,
      randomHex: (bytes) => (hex++).toString(16).padStart(2 * bytes, '0'),
    });
    this.memory.registerSinks(['sink']);
    this.slots = new ModelSlots(stateDir);
    this.store = this.#refusing(this.memory);
    this.agent = this.#make();
  }

  #refusing(store: MemoryStore): Store {
    const writes = new Set<PropertyKey>(['appendSample', 'commitTransition', 'putState', 'maintain']);
    return new Proxy<Store>(store, {
      get: (target, key) => {
        if (this.full && writes.has(key)) {
          return () => {
            throw new StoreFullError('no space left');
          };
        }
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  #make(): Agent {
    const clock = { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs - START_MS + this.#ticks++ * 5 };
    const log = (level: Level, event: string, fields: Fields = {}): void => {
      this.logged.push({ level, event, fields });
    };
    const sink: Sink = {
      name: 'sink',
      kind: 'fake',
      start: (ready) => ready(),
      connected: () => true,
      deliver: async (events) => {
        this.delivered.push(...events);
        return events.map(() => ({ outcome: 'delivered' }));
      },
      telemetry: ({ payload }) => void this.telemetry.push(JSON.parse(payload) as object),
      status: () => ({
        name: 'sink',
        kind: 'fake',
        connected: true,
        target: 'here',
        lastError: null,
        connects: 1,
        counters: {},
      }),
      close: async () => {},
    };
    const outward = new Outward(
      { store: this.store, clock, random: () => 0, log, setTimer: () => () => {} },
      [sink],
    );
    const source: Source = {
      kind: this.#options.kind ?? 'procfs',
      schema: SMALL_SCHEMA,
      open: async () => {},
      read: async () => null,
      close: async () => {},
      faults: () => ({}),
      describe: () => 'a script',
    };
    const values = new Map<string, unknown>([
      ['stateDir', this.#stateDir],
      ['learning.warmup', 200 * INTERVAL_MS],
      ...Object.entries(this.#options.settings ?? {}),
    ]);
    return new Agent({
      identity: SAME_IDENTITY,
      survey: this.#options.survey ?? null,
      config: resolveConfig([{ values, sinks: [] }]),
      version: '1.2.3',
      hostId: 'host',
      bootId: 'boot',
      source,
      store: this.store,
      slots: this.slots,
      central: this.#options.central?.(this.#stateDir, log) ?? null,
      outward,
      clock,
      log,
      memory: () => ({ residentBytes: 1, proportionalBytes: null }),
      figures: new Figures(() => clock.monotonicMs()),
      newId: () => `incident-${++this.#ids}`,
      setImmediate: (callback) => void this.#immediates.push(callback),
      publish: (message) => void this.published.push(message),
    });
  }

  /** The monotonic clock moves on with each look at it, so that a fit takes many slices. */
  #ticks = 0;

  /** The process ends as by a power cut, and begins anew after some time. */
  restart(afterMs: number): void {
    this.nowMs += afterMs;
    this.#immediates = [];
    this.agent = this.#make();
    this.agent.start();
  }

  /** @returns how many slices ran */
  runFit(most = Number.POSITIVE_INFINITY): number {
    let slices = 0;
    for (; slices < most && this.#immediates.length > 0; slices++) this.#immediates.shift()?.();
    return slices;
  }

  /** One sample of the series, changed by `change`. */
  sample(change: (values: Float64Array) => void = () => {}, stepMs = INTERVAL_MS, failed = false): void {
    this.nowMs += stepMs;
    const values = Float64Array.from(this.#columns, (column) => column[this.#row] as number);
    this.#row++;
    change(values);
    this.agent.onSample({ timeMs: this.nowMs, values }, { failed, readMs: 0, lateMs: 0 });
  }

  samples(count: number, change?: (values: Float64Array) => void): void {
    for (let i = 0; i < count; i++) this.sample(change);
  }

  /** From nothing to a model of its own. */
  learn(): void {
    this.agent.start();
    this.samples(201);
    this.runFit();
  }

  events(type?: string): StoredEvent[] {
    const all = this.memory.events(0, 1000);
    return type === undefined ? all : all.filter((event) => event.type === type);
  }

  logs(event: string): Fields[] {
    return this.logged.filter((line) => line.event === event).map((line) => line.fields);
  }
}

/** A processor that is busy as never before. */
export const busy = (values: Float64Array): void => {
  values[0] = 99;
};
