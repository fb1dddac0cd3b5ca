import { Sampler } from '../collector/sampler.ts';
import { type Source, SourceError } from '../collector/source.ts';
import type { Agent } from './agent.ts';
import { type AgentConfig, resolveConfig, type Settings } from './config/config.ts';
import { reload } from './config/reload.ts';
import { messageOf } from './delivery.ts';
import type { HttpListener } from './http.ts';
import type { InferenceRecord } from './inference/record.ts';
import type { LocalApi } from './local-api.ts';
import type { Log } from './log.ts';
import type { Logging } from './logging.ts';
import { trimMemory } from './memory.ts';
import { Nights } from './nights.ts';
import type { Outward } from './outward.ts';
import type { ServiceManager } from './service-manager.ts';
import type { SinkContext } from './sinks/sink.ts';
import type { StatusReport } from './status.ts';
import type { SqliteStore } from './store/sqlite-store.ts';
import { StoreCorruptError } from './store/store.ts';

/** A stop delivers what it can, and is over by then. */
const STOP_DEADLINE_MS = 8000;
/** A replay ends when its events are delivered, or when nothing took them for so long. */
const REPLAY_DRAIN_MS = 60_000;
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
  /**
   * Takes over what can change while the agent runs, between two samples; a fault is logged, and changes nothing.
   * @returns the settings that hold from now on
   */
  reload(before: Settings, read: () => Promise<Settings>): Promise<Settings>;
  /** Delivers what it can within its deadline, and closes everything. */
  stop(): Promise<void>;
  status(): StatusReport;
}

export interface Parts {
  readonly agent: Agent;
  readonly source: Source;
  readonly store: SqliteStore;
  readonly outward: Outward;
  readonly api: LocalApi;
  readonly config: AgentConfig;
  readonly logging: Logging;
  readonly manager: ServiceManager;
  readonly http: HttpListener | null;
  /** When the loop last really sampled. */
  readonly alive: { sampledMs: number };
  readonly condemned: AbortSignal;
  readonly inference: InferenceRecord | null;
  readonly context: (config: AgentConfig) => SinkContext;
}

/** Runs what was put together, until its source ends or it is stopped. */
export function drive(parts: Parts): RunningAgent {
  const { agent, source, store, outward, api, config, logging, manager, condemned } = parts;
  const { log } = logging;
  const abort = new AbortController();
  const sampler = new Sampler(source, { intervalMs: config.intervalMs });
  let failure: RunningAgent['failure'] = null;
  const fail = (why: Exclude<typeof failure, null>, error: unknown): void => {
    failure ??= why;
    log('error', why === 'store' ? 'store.failed' : 'sampler.failed', { error: messageOf(error) });
    abort.abort();
  };
  condemned.addEventListener('abort', () => fail('store', 'the database is damaged'), { once: true });
  const nights = new Nights(() => agent.night());
  // A replay's nights are not ours.
  if (source.kind !== 'replay') void nights.follow(config);
  let trimming = setTimeout(() => {
    void trim(log);
    trimming = setInterval(() => void trim(log), TRIM_EVERY_MS).unref();
  }, TRIM_AFTER_MS).unref();
  const ended = sampler
    .run((sample, meta) => {
      if (!meta.failed) parts.alive.sampledMs = performance.now();
      agent.onSample(sample, meta);
      // A sample of missing values keeps the loop going, but it is no sign of life.
      if (!meta.failed) manager.sampled(agent.sentence());
    }, abort.signal)
    .catch((error: unknown) => {
      if (error instanceof StoreCorruptError && failure === 'store') return;
      fail(
        error instanceof SourceError ? 'input' : error instanceof StoreCorruptError ? 'store' : 'bug',
        error,
      );
    });
  // One at a time: a second SIGHUP waits for the first.
  let reloading: Promise<unknown> = Promise.resolve();
  let stopping: Promise<void> | null = null;
  /** With a damaged store nothing more can be kept or told; what follows is another start. */
  const abandon = async (): Promise<void> => {
    parts.inference?.close();
    await outward.abandon(STOP_DEADLINE_MS / 4);
    await api.close();
    await parts.http?.close();
    await source.close();
    store.close();
  };
  const stop = async (): Promise<void> => {
    abort.abort();
    manager.stopping();
    await ended;
    await nights.stop();
    clearTimeout(trimming);
    if (failure === 'store') return abandon();
    agent.stop();
    const replayed = source.kind === 'replay';
    await within(
      Promise.all([outward.finishSeries(), parts.inference?.finish()]),
      replayed ? REPLAY_DRAIN_MS : STOP_DEADLINE_MS / 4,
    );
    parts.inference?.close();
    const drainMs = replayed ? REPLAY_DRAIN_MS : STOP_DEADLINE_MS / 2;
    for (const left of await outward.finish(drainMs, STOP_DEADLINE_MS / 4)) {
      log('warning', 'delivery.unfinished', left);
    }
    await api.close();
    await parts.http?.close();
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
    reload: (before, read) => {
      const taken = reloading.then(() => takeOver(parts, nights, before, read));
      reloading = taken;
      return taken;
    },
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
    status: () => agent.status(),
  };
}

async function takeOver(
  { agent, source, outward, logging, context }: Parts,
  nights: Nights,
  before: Settings,
  read: () => Promise<Settings>,
): Promise<Settings> {
  const { log } = logging;
  logging.reopen();
  try {
    const { settings, changed, needRestart } = reload(before, await read());
    const config = resolveConfig([settings]);
    await outward.replace(config.sinks, context(config));
    outward.start();
    agent.reconfigure(config);
    if (source.kind !== 'replay') await nights.follow(config);
    logging.level = config.logLevel;
    logging.configured = config.logLevel;
    log('info', 'config.reloaded', { changed, needRestart });
    return settings;
  } catch (error) {
    log('error', 'config.rejected', { error: messageOf(error) });
    return before;
  }
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
