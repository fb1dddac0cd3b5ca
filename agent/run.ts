import { randomBytes, randomUUID } from 'node:crypto';
import { systemClock } from '../collector/clock.ts';
import { createSource } from '../collector/create.ts';
import { Sampler } from '../collector/sampler.ts';
import { type Source, SourceError } from '../collector/source.ts';
import type { AlertData } from '../core/protocol/events.ts';
import { schemaHash } from '../models/artifact.ts';
import { ModelSlots } from '../models/slots.ts';
import { Agent } from './agent.ts';
import { type AgentConfig, ConfigError } from './config/config.ts';
import { Delivery, messageOf } from './delivery.ts';
import { hostIdFrom, readMachineId } from './identity.ts';
import { LocalApi } from './local-api.ts';
import { createLog, type Log } from './log.ts';
import { trimMemory } from './memory.ts';
import { openDatabase } from './native.ts';
import { SeriesDelivery, takesSamples } from './series.ts';
import { createSink } from './sinks/create.ts';
import { openSqliteStore, type SqliteStore } from './store/sqlite-store.ts';
import { StoreCorruptError } from './store/store.ts';

/** A stop delivers what it can, and is over by then. */
const STOP_DEADLINE_MS = 8000;
/** A replay ends when its events are delivered, or when nothing took them for so long. */
const REPLAY_DRAIN_MS = 60_000;
const UNLIMITED_PER_SECOND = 1e6;
/** By then everything has been used once that the loop will use. */
const TRIM_AFTER_MS = 20_000;
/** Then again and again: 20 ms each, 0.007 % of a core. */
const TRIM_EVERY_MS = 5 * 60_000;

export interface RunningAgent {
  /** Resolves when the source has ended or a stop was requested. */
  readonly ended: Promise<void>;
  /** Why the loop ended, where it was not the end of the source or a stop; already logged. */
  readonly failure: 'input' | 'bug' | 'store' | null;
  requestStop(): void;
  /** Delivers what it can within its deadline, and closes everything. */
  stop(): Promise<void>;
  status(): object;
}

export interface StartOptions {
  readonly version: string;
  readonly log?: Log;
}

/** Puts the parts together, and starts them in the order in which they need each other. */
export async function startAgent(config: AgentConfig, options: StartOptions): Promise<RunningAgent> {
  const log = options.log ?? standardLog(config);
  const clock = systemClock;
  const source = createSource(config.source, {
    intervalMs: config.intervalMs,
    view: config.view,
    pace: config.pace,
    networkInclude: config.networkInclude,
    networkExclude: config.networkExclude,
  });
  const condemned = new AbortController();
  const store = openSqliteStore({
    stateDir: config.stateDir,
    openDatabase: (path) => openDatabase(path, {}, config.stateDir),
    nowMs: () => clock.nowMs(),
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    limits: config.limits,
    onCorrupt: () => condemned.abort(),
  });
  for (const finding of store.findings) log('warning', 'store.finding', { finding });
  try {
    return await assemble(config, options.version, log, source, store, condemned.signal);
  } catch (error) {
    store.close();
    await source.close();
    throw error;
  }
}

async function assemble(
  config: AgentConfig,
  version: string,
  log: Log,
  source: Source,
  store: SqliteStore,
  condemned: AbortSignal,
): Promise<RunningAgent> {
  const clock = systemClock;
  await source.open();
  checkSchema(source, store, log);
  const hostId = config.hostId ?? hostIdFrom(readMachineId(), config.site) ?? rememberedId(store);
  const bootId = randomUUID();
  const identity = { hostId, bootId, site: config.site, version, schemaHash: schemaHash(source.schema) };
  const context = { identity, hostName: config.hostName, labels: config.labels, schema: source.schema };
  const sinks = await Promise.all(config.sinks.map((sink) => createSink(sink, context, log)));
  store.registerSinks(sinks.map((sink) => sink.name));
  const outward = {
    store,
    clock,
    random: Math.random,
    log,
    setTimer: (callback: () => void, ms: number) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    // A replay's past is its present.
    ...(source.kind === 'replay' && {
      backlogPerSecond: UNLIMITED_PER_SECOND,
      summariseAfterMs: Number.POSITIVE_INFINITY,
    }),
  };
  const wakeAll = (): void => {
    for (const delivery of deliveries) delivery.wake();
  };
  const deliveries: Delivery[] = sinks.map((sink) => new Delivery(sink, { ...outward, wakeAll }));
  const series = sinks.filter(takesSamples).map((sink) => new SeriesDelivery(sink, outward));
  let agent: Agent | null = null;
  const api = new LocalApi(
    {
      status: () => agent?.status(),
      alerts: ({ limit }) =>
        store.incidents(clampLimit(limit)).map((row) => JSON.parse(row.data) as AlertData),
      alert: ({ id }) => {
        const row = typeof id === 'string' ? store.incident(id) : null;
        return row === null ? null : (JSON.parse(row.data) as AlertData);
      },
    },
    log,
  );
  agent = new Agent({
    config,
    version,
    hostId,
    bootId,
    source,
    store,
    slots: new ModelSlots(config.stateDir),
    deliveries,
    clock,
    log,
    series,
    memoryBytes: () => process.memoryUsage.rss(),
    newId: () => randomBytes(8).toString('hex'),
    setImmediate: (callback) => setImmediate(callback),
    publish: (message) => api.publish(message),
  });
  await listen(api, config.socket, log);
  log('info', 'agent.started', {
    version,
    host: hostId,
    source: source.describe(),
    intervalMs: config.intervalMs,
    stateDir: config.stateDir,
    sinks: sinks.map((sink) => sink.status().target),
  });
  agent.start();
  for (const delivery of deliveries) delivery.start();
  return drive(agent, source, store, deliveries, series, api, config, log, condemned);
}

function drive(
  agent: Agent,
  source: Source,
  store: SqliteStore,
  deliveries: readonly Delivery[],
  series: readonly SeriesDelivery[],
  api: LocalApi,
  config: AgentConfig,
  log: Log,
  condemned: AbortSignal,
): RunningAgent {
  const abort = new AbortController();
  const sampler = new Sampler(source, { intervalMs: config.intervalMs });
  let failure: RunningAgent['failure'] = null;
  const fail = (why: Exclude<typeof failure, null>, error: unknown): void => {
    failure ??= why;
    log('error', why === 'store' ? 'store.failed' : 'sampler.failed', { error: messageOf(error) });
    abort.abort();
  };
  condemned.addEventListener('abort', () => fail('store', 'the database is damaged'), { once: true });
  const stopNights = scheduleNights(config, source, agent);
  let trimming = setTimeout(() => {
    void trim(log);
    trimming = setInterval(() => void trim(log), TRIM_EVERY_MS).unref();
  }, TRIM_AFTER_MS).unref();
  const ended = sampler
    .run((sample, meta) => agent.onSample(sample, meta), abort.signal)
    .catch((error: unknown) => {
      if (error instanceof StoreCorruptError && failure === 'store') return;
      fail(
        error instanceof SourceError ? 'input' : error instanceof StoreCorruptError ? 'store' : 'bug',
        error,
      );
    });
  let stopping: Promise<void> | null = null;
  /** With a damaged store nothing more can be kept or told; what follows is another start. */
  const abandon = async (): Promise<void> => {
    for (const one of series) one.close();
    await Promise.all(deliveries.map((delivery) => delivery.close(STOP_DEADLINE_MS / 4)));
    await api.close();
    await source.close();
    store.close();
  };
  const stop = async (): Promise<void> => {
    abort.abort();
    await ended;
    stopNights();
    clearTimeout(trimming);
    if (failure === 'store') return abandon();
    agent.stop();
    const replayed = source.kind === 'replay';
    await within(
      Promise.all(series.map((one) => one.finish())),
      replayed ? REPLAY_DRAIN_MS : STOP_DEADLINE_MS / 4,
    );
    await Promise.all(
      deliveries.map(async (delivery) => {
        const done = await delivery.drain(replayed ? REPLAY_DRAIN_MS : STOP_DEADLINE_MS / 2);
        const { pending } = store.outbox(delivery.sink.name);
        if (!done) log('warning', 'delivery.unfinished', { sink: delivery.sink.name, pending });
        await delivery.close(STOP_DEADLINE_MS / 4);
      }),
    );
    await api.close();
    await source.close();
    store.close();
    log('info', 'agent.stopped', { samples: agent.counters.samples });
  };
  return {
    ended,
    get failure() {
      return failure;
    },
    requestStop: () => abort.abort(),
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
    status: () => agent.status(),
  };
}

/** Resolves with it, or at the deadline. */
async function within(work: Promise<unknown>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  await Promise.race([work, deadline]);
  clearTimeout(timer);
}

async function trim(log: Log): Promise<void> {
  try {
    log('debug', 'memory.trimmed', { bytes: await trimMemory() });
  } catch (error) {
    log('debug', 'memory.notTrimmed', { error: messageOf(error) });
  }
}

/** The nightly refit, somewhere between 2 and 5 at night, so that a fleet does not work at the same minute. */
function scheduleNights(config: AgentConfig, source: Source, agent: Agent): () => void {
  if (config.refit === 'off' || source.kind === 'replay') return () => {};
  let stop = (): void => {};
  let stopped = false;
  const minute = Math.floor(Math.random() * 180);
  void import('node-cron').then(({ schedule }) => {
    if (stopped) return;
    const task = schedule(`${minute % 60} ${2 + Math.floor(minute / 60)} * * *`, () => agent.night());
    stop = () => void task.stop();
  });
  return () => {
    stopped = true;
    stop();
  };
}

/** Samples of another shape can't be mixed: what was kept under another schema is not replayed or learned from. */
function checkSchema(source: Source, store: SqliteStore, log: Log): void {
  const names = JSON.stringify(source.schema.map((metric) => metric.name));
  const before = store.getState('schema');
  if (before !== null && before !== names) {
    log('warning', 'store.schemaChanged', { before, now: names });
    throw new ConfigError(
      'this state directory holds samples with other metrics (another source?); choose another with --state-dir',
    );
  }
  store.putState('schema', names);
}

function rememberedId(store: SqliteStore): string {
  const known = store.getState('hostId');
  if (known !== null) return known;
  const id = randomBytes(8).toString('hex');
  store.putState('hostId', id);
  return id;
}

/** The agent works without its socket: a full or odd file system must not keep it from watching. */
async function listen(api: LocalApi, path: string, log: Log): Promise<void> {
  try {
    await api.listen(path);
  } catch (error) {
    log('warning', 'api.unavailable', { path, error: messageOf(error) });
  }
}

const clampLimit = (limit: unknown): number =>
  typeof limit === 'number' && Number.isFinite(limit) ? Math.max(1, Math.min(1000, Math.floor(limit))) : 20;

function standardLog(config: AgentConfig): Log {
  const terminal = process.stderr.isTTY === true;
  return createLog({
    level: config.logLevel,
    pretty: config.logFormat === 'pretty' || (config.logFormat === 'auto' && terminal),
    colour: terminal && !process.env['NO_COLOR'],
    nowMs: Date.now,
    write: (line) => process.stderr.write(line),
  });
}
