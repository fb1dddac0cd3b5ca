import { randomBytes, randomUUID } from 'node:crypto';
import { systemClock } from '../collector/clock.ts';
import { createSource } from '../collector/create.ts';
import type { Source } from '../collector/source.ts';
import type { AlertData, ProcessUse } from '../core/protocol/events.ts';
import { schemaHash } from '../models/artifact.ts';
import { ModelSlots } from '../models/slots.ts';
import { Agent, type AgentDependencies } from './agent.ts';
import { type AgentConfig, ConfigError } from './config/config.ts';
import { controls } from './controls.ts';
import { messageOf } from './delivery.ts';
import { drive, type RunningAgent } from './drive.ts';
import { Figures } from './figures.ts';
import type { HttpListener } from './http.ts';
import {
  decideIdentity,
  type Identity,
  readHardware,
  readIdentity,
  readMachineId,
  writeIdentity,
} from './identity.ts';
import type { InferenceRecord } from './inference/record.ts';
import { LocalApi } from './local-api.ts';
import type { Log } from './log.ts';
import { configuredLogging, type Logging, loggingTo } from './logging.ts';
import { openDatabase } from './native.ts';
import { Outward } from './outward.ts';
import { processFigures, proportionalBytes } from './process-figures.ts';
import { serviceManager } from './service-manager.ts';
import type { SinkContext } from './sinks/sink.ts';
import { openSqliteStore, type SqliteStore } from './store/sqlite-store.ts';

const UNLIMITED_PER_SECOND = 1e6;

export interface StartOptions {
  readonly version: string;
  /** Instead of the configured one. */
  readonly log?: Log;
}

/** Puts the parts together, and starts them in the order in which they need each other. */
export async function startAgent(config: AgentConfig, options: StartOptions): Promise<RunningAgent> {
  const logging = options.log === undefined ? configuredLogging(config) : loggingTo(options.log);
  const { log } = logging;
  const clock = systemClock;
  const source = createSource(config.source, {
    intervalMs: config.intervalMs,
    view: config.view,
    pace: config.pace,
    networkInclude: config.networkInclude,
    networkExclude: config.networkExclude,
  });
  const condemned = new AbortController();
  const identity = decideIdentity({
    configured: config.hostId,
    site: config.site,
    machineId: readMachineId(),
    hardware: readHardware(),
    known: readIdentity(config.stateDir),
    drawId: () => randomBytes(8).toString('hex'),
  });
  const store = openSqliteStore({
    changed: identity.change,
    stateDir: config.stateDir,
    openDatabase: (path) => openDatabase(path, {}, config.stateDir),
    nowMs: () => clock.nowMs(),
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    limits: config.limits,
    onCorrupt: () => condemned.abort(),
  });
  for (const finding of store.findings) log('warning', 'store.finding', { finding });
  try {
    writeIdentity(config.stateDir, identity.record);
    return await assemble(config, options.version, logging, source, store, identity, condemned.signal);
  } catch (error) {
    store.close();
    await source.close();
    throw error;
  }
}

async function assemble(
  config: AgentConfig,
  version: string,
  logging: Logging,
  source: Source,
  store: SqliteStore,
  identity: Identity,
  condemned: AbortSignal,
): Promise<RunningAgent> {
  const clock = systemClock;
  const { log } = logging;
  await source.open();
  checkSchema(source, store, log);
  const { hostId } = identity.record;
  const bootId = randomUUID();
  const speaker = { hostId, bootId, site: config.site, version, schemaHash: schemaHash(source.schema) };
  let agent: Agent | null = null;
  const control = controlOf(config, () => agent);
  const context = ({ hostName, labels }: AgentConfig): SinkContext => ({
    control,
    identity: speaker,
    hostName,
    labels,
    schema: source.schema,
  });
  const figures = new Figures(() => clock.monotonicMs());
  const setTimer = (callback: () => void, ms: number): (() => void) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  };
  const outward = new Outward({
    delivered: (latencyMs) => figures.record('delivery', latencyMs),
    store,
    clock,
    random: Math.random,
    log,
    setTimer,
    // A replay's past is its present.
    ...(source.kind === 'replay' && {
      backlogPerSecond: UNLIMITED_PER_SECOND,
      summariseAfterMs: Number.POSITIVE_INFINITY,
    }),
  });
  await outward.replace(config.sinks, context(config));
  const inference = await recordAsAsked(config, { hostId, version }, figures, {
    store,
    clock,
    log,
    setTimer,
    performanceAt: (timeMs) => agent?.performanceAt(timeMs) ?? null,
  });
  outward.follower = inference;
  const api = new LocalApi(
    {
      status: () => agent?.status(),
      alerts: ({ limit }) =>
        store.incidents(clampLimit(limit)).map((row) => agent?.operators.judgedAlert(row)),
      alert: ({ id }) => {
        const row = typeof id === 'string' ? store.incident(id) : null;
        return row && agent?.operators.judgedAlert(row);
      },
      ...controls(() => agent, logging, clock),
    },
    log,
  );
  agent = new Agent({
    config,
    version,
    hostId,
    identity,
    bootId,
    source,
    store,
    slots: new ModelSlots(config.stateDir),
    central: await centralAsAsked(config, log),
    outward,
    clock,
    log,
    memory: () => ({
      residentBytes: process.memoryUsage.rss(),
      proportionalBytes: proportionalBytes(),
    }),
    figures,
    newId: () => randomBytes(8).toString('hex'),
    setImmediate: (callback) => setImmediate(callback),
    survey: source.kind === 'replay' ? null : surveyProcesses,
    publish: (message) => api.publish(message),
  });
  await listen(api, config.socket, log);
  log('info', 'agent.started', {
    version,
    host: hostId,
    source: source.describe(),
    intervalMs: config.intervalMs,
    stateDir: config.stateDir,
    sinks: outward.deliveries.map(({ sink }) => sink.status().target),
  });
  agent.start();
  outward.start();
  const manager = await serviceManager(process.env, log, () => clock.monotonicMs());
  const alive = { sampledMs: clock.monotonicMs() };
  const http = await listenAsAsked(config, agent, figures, alive, log);
  const parts = {
    agent,
    source,
    store,
    outward,
    api,
    config,
    logging,
    manager,
    http,
    alive,
    condemned,
    inference,
  };
  const running = drive({ ...parts, context });
  manager.ready(config.intervalMs);
  return running;
}

/** Loaded where it is asked for. */
async function centralAsAsked(
  { central, stateDir }: AgentConfig,
  log: Log,
): Promise<AgentDependencies['central']> {
  if (central === null) return null;
  const { centralFrom } = await import('./central/start.ts');
  return centralFrom(central, stateDir, log);
}

/** What a sink hands over goes to whoever listens to the centre by then. */
function controlOf({ central }: AgentConfig, agent: () => Agent | null): SinkContext['control'] {
  if (central === null) return undefined;
  return {
    sink: central.sink,
    listener: {
      ready: (channel) => agent()?.central?.ready(channel),
      lost: () => agent()?.central?.lost(),
      document: (topic, payload) => agent()?.central?.document(topic, payload),
      command: (name, payload) => agent()?.central?.command(name, payload),
    },
  };
}

/** Loaded where it is asked for. @throws SinkConfigurationError, TrackingSettingError */
async function recordAsAsked(
  { mlflow, hostName, site, labels }: AgentConfig,
  host: { readonly hostId: string; readonly version: string },
  figures: Figures,
  deps: Parameters<typeof import('./inference/start.ts')['startInferenceRecord']>[3],
): Promise<InferenceRecord | null> {
  if (mlflow === null) return null;
  const { startInferenceRecord } = await import('./inference/start.ts');
  return startInferenceRecord(mlflow, { ...host, hostName, site, labels }, figures, deps);
}

/** Loaded where it is asked for. A port that is taken must not keep the host from being watched. */
async function listenAsAsked(
  { http, intervalMs }: AgentConfig,
  agent: Agent,
  figures: Figures,
  alive: { readonly sampledMs: number },
  log: Log,
): Promise<HttpListener | null> {
  if (http === null) return null;
  const { listenHttp } = await import('./http.ts');
  const { exposition } = await import('./exposition.ts');
  const { health } = await import('./health.ts');
  try {
    const listener = await listenHttp(http, {
      metrics: (open) => exposition(agent.status(), figures, processFigures(), open),
      ...health(
        () => agent.state(),
        intervalMs,
        () => performance.now() - alive.sampledMs,
      ),
    });
    log('info', 'http.listening', { host: http.host, port: listener.port });
    return listener;
  } catch (error) {
    log('warning', 'http.unavailable', { ...http, error: messageOf(error) });
    return null;
  }
}

/** Loaded when the first incident opens. */
async function surveyProcesses(settings: AgentConfig['processes']): Promise<AlertData['processes']> {
  const { heaviestProcesses } = await import('../collector/processes.ts');
  const { byCpu, byMemory } = await heaviestProcesses(settings);
  const told = (use: ProcessUse): ProcessUse => ({
    ...use,
    cpuPercent: Number.isFinite(use.cpuPercent) ? use.cpuPercent : null,
  });
  return { byCpu: byCpu.map(told), byMemory: byMemory.map(told) };
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
