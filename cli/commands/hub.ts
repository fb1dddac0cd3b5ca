import { createHash, randomBytes } from 'node:crypto';
import type { SinkConfig } from '../../agent/config/config.ts';
import { createLog, LEVELS, type Level, type Log } from '../../agent/log.ts';
import { serviceManager } from '../../agent/service-manager.ts';
import { SinkConfigurationError } from '../../agent/sinks/sink.ts';
import { lockDirectory, prepareDirectory } from '../../agent/store/state-directory.ts';
import { StoreUnusableError } from '../../agent/store/store.ts';
import { parseBytes, parseDurationMs } from '../../agent/units.ts';
import { Hub } from '../../hub/hub.ts';
import { parseShard, type Shard } from '../../hub/shard.ts';
import { HubStore } from '../../hub/store/store.ts';
import { BrokerClient } from '../broker/client.ts';
import { type BrokerOptions, brokerConfig, brokerSites } from '../broker/options.ts';
import { Exit, UserError } from '../errors.ts';
import { InfluxCopy } from '../hub/influx.ts';
import { hubStateDir, openHubDatabase } from '../hub/state.ts';
import { useBoundedHeap } from '../runtime.ts';
import { BUILD } from '../version.ts';

export interface HubOptions extends BrokerOptions {
  readonly 'state-dir'?: string | undefined;
  readonly shard: string;
  readonly 'silent-after': string;
  readonly retention: string;
  readonly 'max-size': string;
  readonly influx?: string | undefined;
  readonly 'influx-token-file'?: string | undefined;
  readonly 'log-level': string;
  readonly 'log-format': string;
}

/** Agents that did not hear from it for a day have sent again. */
const SESSION_SECONDS = 86_400;
const TICK_MS = 5000;
const DRAIN_MS = 5000;

/** The hub, in the foreground, until stopped. */
export async function run(args: HubOptions): Promise<number> {
  useBoundedHeap();
  const config = brokerConfig(args);
  const sites = brokerSites(args);
  const shard = parseShard(args.shard);
  if (shard === null) throw new UserError(`--shard: expected INDEX/COUNT, e.g. 1/4, found "${args.shard}"`);
  const silentAfterMs = durationOf(args, 'silent-after', 10_000, 7 * 86_400_000);
  const limits = {
    retentionMs: durationOf(args, 'retention', 3_600_000, 10 * 366 * 86_400_000),
    maxBytes: sizeOf(args['max-size']),
  };
  const log = logOf(args);
  const stateDir = hubStateDir(args['state-dir']);
  const lock = lockOf(stateDir);
  const store = HubStore.open(stateDir, {
    openDatabase: openHubDatabase,
    nowMs: Date.now,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    limits,
  });
  const copy = args.influx === undefined ? null : influxOf(args, store, log);
  const service = await serviceManager(process.env, log, () => performance.now());
  const end = Promise.withResolvers<unknown>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end.resolve(null));
  // Both are made before either can hear anything.
  const broker: BrokerClient = new BrokerClient(config, {
    purpose: 'hub',
    session: { clientId: clientId(sites, shard), expirySeconds: SESSION_SECONDS },
    messages: (message) => hub.receive(message),
    onConnected: (about) => {
      log('info', 'hub.connected', about);
      hub.connected();
    },
    onDisconnected: (error) => {
      log('warning', 'hub.disconnected', { error });
      hub.disconnected();
    },
  });
  const reader = new BrokerClient(config, { purpose: 'hub-reader' });
  const hub: Hub = new Hub(
    { sites, shard, silentAfterMs },
    {
      store,
      broker,
      reader,
      log,
      nowMs: Date.now,
      setTimer: (callback, ms) => {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
      onTick: () => service.sampled(`${hub.hosts} hosts`),
      onFailure: (error) => end.resolve(error),
    },
  );
  hub.start();
  copy?.start();
  service.ready(TICK_MS);
  log('info', 'hub.started', {
    version: BUILD.version,
    sites,
    shard: args.shard,
    hosts: hub.hosts,
    stateDir,
  });
  const failure = await end.promise;
  service.stopping();
  copy?.close();
  // What is stored is stored; acknowledgements that the broker does not take are given again at the next sending.
  await Promise.race([hub.stop(), new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref())]);
  await Promise.all([broker.close(), reader.close()]);
  store.close();
  lock.close();
  if (failure !== null) throw failure;
  log('info', 'hub.stopped', hub.counters);
  return Exit.done;
}

/** The same at each start, so that the session is; another for another part of the fleet. */
function clientId(sites: readonly string[], { index, count }: Shard): string {
  const which = createHash('sha256')
    .update([...sites].sort().join('/'))
    .digest('hex')
    .slice(0, 12);
  return `edgewood-hub-${which}-${index}of${count}`;
}

function lockOf(stateDir: string) {
  try {
    prepareDirectory(stateDir);
    return lockDirectory(stateDir, (path) => openHubDatabase(path));
  } catch (error) {
    if (!(error instanceof StoreUnusableError)) throw error;
    throw new UserError(
      error.message.replace(/another edgewood agent .*$/s, 'another hub is using it. Stop that one first.'),
    );
  }
}

function influxOf(args: HubOptions, store: HubStore, log: Log): InfluxCopy {
  const tokenFile = args['influx-token-file'] ?? process.env['EDGEWOOD_INFLUX_TOKEN_FILE'];
  const sink: SinkConfig = {
    type: 'influx',
    name: 'influx',
    url: args.influx as string,
    ...(tokenFile !== undefined && tokenFile !== '' && { tokenFile }),
  };
  try {
    return new InfluxCopy(sink, store, log);
  } catch (error) {
    throw error instanceof SinkConfigurationError ? new UserError(error.message) : error;
  }
}

function durationOf(
  args: HubOptions,
  flag: 'silent-after' | 'retention',
  least: number,
  most: number,
): number {
  const ms = parseDurationMs(args[flag]);
  if (ms === null || ms < least || ms > most)
    throw new UserError(
      `--${flag}: expected a duration of ${least / 1000} s to ${Math.round(most / 86_400_000)} d, found "${args[flag]}"`,
    );
  return ms;
}

function sizeOf(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === null || bytes < 16e6)
    throw new UserError(`--max-size: expected at least 16MB, found "${text}"`);
  return bytes;
}

function logOf({ 'log-level': level, 'log-format': format }: HubOptions): Log {
  if (!LEVELS.includes(level as Level))
    throw new UserError(`--log-level: expected one of ${LEVELS.join(', ')}`);
  const terminal = process.stderr.isTTY === true;
  return createLog({
    level: () => level as Level,
    pretty: format === 'pretty' || (format === 'auto' && terminal),
    colour: terminal && !process.env['NO_COLOR'],
    nowMs: Date.now,
    write: (line) => void process.stderr.write(line),
  });
}
