import type { Systeminformation } from 'systeminformation';
import { HOST_METRICS, type MetricSchema, type Sample } from '../core/sample.ts';
import { systemClock } from './clock.ts';
import { type CounterRepairs, clampPercent, counterDelta, usableElapsed } from './counter.ts';
import { Faults } from './faults.ts';
import { chooseInterfaces } from './interfaces.ts';
import type { Clock, Source } from './source.ts';
import { SourceError } from './source.ts';

/** What is used of the package: a test gives its own. */
export interface SystemInformationApi {
  currentLoad(): Promise<Systeminformation.CurrentLoadData>;
  mem(): Promise<Systeminformation.MemData>;
  networkStats(interfaces: string): Promise<Systeminformation.NetworkStatsData[]>;
  fsSize(): Promise<Systeminformation.FsSizeData[]>;
  fsStats(): Promise<Systeminformation.FsStatsData>;
}

export interface SystemInformationOptions {
  readonly clock?: Clock;
  /** How often `read` will be called: a much longer pause is a suspend. Default 5000. */
  readonly intervalMs?: number;
  readonly networkInclude?: readonly string[] | undefined;
  readonly networkExclude?: readonly string[] | undefined;
  readonly load?: () => Promise<SystemInformationApi>;
}

/** Loaded when wanted: the package costs 4 MB. */
export const loadSystemInformation = async () => (await import('systeminformation')).default;

const POSITIONS = new Map(HOST_METRICS.map((metric, index) => [metric.name, index]));
const GAP_INTERVALS = 5;
const NETWORK_FS = /^(?:nfs|cifs|smb|fuse|ceph|9p|afs|webdav)/i;
const FULL_FS = /^(?:squashfs|iso9660|erofs|tmpfs|devtmpfs)/i;

/** A number that can be one: the package writes null and -1 for what it doesn't know. */
const positive = (value: number | null | undefined): number =>
  typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY ? value : Number.NaN;

/**
 * The portable source (Linux, macOS, Windows). It starts child processes at most readings; on Linux procfs is a
 * thousandth of its cost. It has no iowait, pressure or busy share of a disk: NaN. Disk bytes come from `fsStats`,
 * since `disksIO` counts operations only.
 */
export class SystemInformationSource implements Source {
  readonly kind = 'systeminformation';
  readonly schema: MetricSchema = HOST_METRICS;
  readonly #options: SystemInformationOptions;
  readonly #clock: Clock;
  readonly #faults = new Faults();
  #api: SystemInformationApi | undefined;
  #errors = new Map<string, number>();
  #previousMs = Number.NaN;

  constructor(options: SystemInformationOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  async open(): Promise<void> {
    try {
      this.#api = await (this.#options.load ?? loadSystemInformation)();
    } catch (error) {
      throw new SourceError(`the package systeminformation can't be loaded (${error}). Use --source procfs.`);
    }
  }

  async read(): Promise<Sample> {
    const api = this.#api;
    if (!api) throw new Error('read before open');
    const values = new Float64Array(HOST_METRICS.length).fill(Number.NaN);
    const set = (name: string, value: number) => {
      values[POSITIONS.get(name)!] = value;
    };
    const elapsedMs = this.#elapsed();
    const settle = async (name: string, part: Promise<void>) => {
      await part.catch(() => failed.push(name));
    };
    const failed: string[] = [];
    // By itself: the others start child processes, some of them synchronously, and would fall into its window.
    await settle(
      'cpu',
      api.currentLoad().then((answer) => this.#cpu(answer, elapsedMs, set)),
    );
    await Promise.all([
      settle(
        'memory',
        api.mem().then((memory) => this.#memory(memory, set)),
      ),
      settle(
        'network',
        api.networkStats('*').then((stats) => this.#network(stats, elapsedMs, set)),
      ),
      settle(
        'filesystem',
        api.fsSize().then((systems) => set('filesystem', fullest(systems))),
      ),
      settle(
        'disk',
        api.fsStats().then((stats) => this.#disk(stats, elapsedMs, set)),
      ),
    ]);
    for (const name of failed) this.#faults.add(`${name}Unreadable`);
    if (failed.length === 5) throw new Error('systeminformation could read nothing');
    return { timeMs: this.#clock.nowMs(), values };
  }

  #elapsed(): number {
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#previousMs;
    this.#previousMs = nowMs;
    if (elapsedMs > GAP_INTERVALS * (this.#options.intervalMs ?? 5000)) {
      this.#faults.add('suspendResumed');
      return Number.NaN;
    }
    return elapsedMs;
  }

  /** The first call gives the average since boot. */
  #cpu(load: Systeminformation.CurrentLoadData, elapsedMs: number, set: Setter): void {
    // 0 on Windows, which knows no load average.
    set('load', process.platform === 'win32' ? Number.NaN : positive(load.avgLoad));
    if (!usableElapsed(elapsedMs)) return;
    set('cpu', clampPercent(positive(load.currentLoad) - positive(load.currentLoadSteal || 0)));
    if (process.platform === 'linux') set('cpu_steal', clampPercent(positive(load.currentLoadSteal)));
  }

  /** Unreadable memory comes as 0: no host has none, nor none left. */
  #memory(memory: Systeminformation.MemData, set: Setter): void {
    const { total, available, swaptotal, swapused } = memory;
    if (!(total > 0 && available > 0)) {
      this.#faults.add('memoryUnreadable');
      return;
    }
    set('memory', clampPercent(((total - available) / total) * 100));
    set('swap', swaptotal > 0 ? clampPercent((positive(swapused) / swaptotal) * 100) : 0);
  }

  #network(stats: Systeminformation.NetworkStatsData[], elapsedMs: number, set: Setter): void {
    const { networkInclude, networkExclude } = this.#options;
    const names = stats.map((one) => one.iface);
    const chosen = chooseInterfaces(names, { include: networkInclude, exclude: networkExclude });
    const repairs: CounterRepairs = { wrapped: 0, reset: 0 };
    const before = this.#errors;
    this.#errors = new Map();
    let rx = Number.NaN;
    let tx = Number.NaN;
    let errors = Number.NaN;
    for (const one of stats) {
      if (!chosen.has(one.iface)) continue;
      const count = [one.rx_errors, one.rx_dropped, one.tx_errors, one.tx_dropped].reduce(
        (sum, value) => sum + (positive(value) || 0),
        0,
      );
      this.#errors.set(one.iface, count);
      const previous = before.get(one.iface);
      // Its rates are null at first, and negative after a reset: one that came counts from its second reading on.
      if (previous === undefined || !usableElapsed(elapsedMs)) continue;
      rx = (Number.isNaN(rx) ? 0 : rx) + positive(one.rx_sec);
      tx = (Number.isNaN(tx) ? 0 : tx) + positive(one.tx_sec);
      const delta = counterDelta(previous, count, repairs);
      errors = (Number.isNaN(errors) ? 0 : errors) + (delta * 1000) / elapsedMs;
    }
    set('network_rx', rx);
    set('network_tx', tx);
    set('network', rx + tx);
    set('network_errors', errors);
    this.#faults.add('counterWrapped', repairs.wrapped);
    this.#faults.add('counterReset', repairs.reset);
  }

  /** Null (not only its fields) where the platform has no such counters. */
  #disk(stats: Systeminformation.FsStatsData | null, elapsedMs: number, set: Setter): void {
    if (!usableElapsed(elapsedMs)) return;
    set('disk_read', positive(stats?.rx_sec));
    set('disk_write', positive(stats?.wx_sec));
  }

  async close(): Promise<void> {
    this.#api = undefined;
  }

  faults(): Readonly<Record<string, number>> {
    return this.#faults.counts();
  }

  describe(): string {
    return `host view from the package systeminformation (${process.platform})`;
  }
}

type Setter = (name: string, value: number) => void;

/** Percent as df has it, over local file systems that can be written. */
function fullest(systems: readonly Systeminformation.FsSizeData[]): number {
  let percent = Number.NaN;
  for (const { type, rw, used, available } of systems) {
    if (rw === false || NETWORK_FS.test(type) || FULL_FS.test(type)) continue;
    const share = (positive(used) / (positive(used) + positive(available))) * 100;
    if (!Number.isNaN(share) && !(share <= percent)) percent = clampPercent(share);
  }
  return percent;
}
