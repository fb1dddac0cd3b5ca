import { ROOT } from '../core/protocol/topics.ts';
import { AcksOut } from './acks-out.ts';
import { AlertsOut } from './alerts-out.ts';
import type { Broker, Message } from './broker.ts';
import { type HostState, newHost, takeEvent, takeStatus, takeTelemetry } from './host.ts';
import { type InboundEvent, type InboundReported, type Observation, parseMessage } from './inbound.ts';
import type { HubLog } from './log.ts';
import { Refusals } from './refusals.ts';
import { RetainedState } from './retained-state.ts';
import { isOurs, type Shard } from './shard.ts';
import type { HubStore } from './store/store.ts';
import { hostKey, type WatchState, watch } from './watch.ts';

const COMMIT_AFTER_MS = 10;
const COMMIT_EVENTS = 256;
/** Kept in memory while the disk is full; beyond, nothing is taken: it is not acknowledged, and comes again. */
const MAX_PENDING = 1024;
const TICK_MS = 5000;
const SAVE_SEEN_MS = 10_000;
const RETAIN_EVERY_MS = 60_000;
/** Access rules may be mended meanwhile. */
const ASK_AGAIN_MS = 60_000;
const MAX_HOSTS = 200_000;

export interface HubDependencies {
  readonly store: HubStore;
  readonly broker: Broker;
  /** For what is retained: without other subscriptions. */
  readonly reader: Broker;
  readonly log: HubLog;
  readonly nowMs: () => number;
  /** @returns stops it */
  readonly setTimer: (callback: () => void, ms: number) => () => void;
  /** It lives, and so does its event loop. */
  readonly onTick: () => void;
  /** The store is unusable: nothing more is taken. */
  readonly onFailure: (error: unknown) => void;
}

export interface HubSettings {
  readonly sites: readonly string[];
  readonly shard: Shard;
  /** No host is silent before. */
  readonly silentAfterMs: number;
}

/** What is received and not stored yet. */
interface Pending {
  readonly hosts: Set<string>;
  readonly events: { key: string; event: InboundEvent; receivedMs: number }[];
  readonly reported: { key: string; reported: InboundReported; receivedMs: number }[];
}

const nothing = (): Pending => ({ hosts: new Set(), events: [], reported: [] });

/**
 * Gathers from the fleet: takes what agents send, stores it in batches, acknowledges what is stored, and watches for
 * hosts that fall silent and for many with one cause. Nothing is acknowledged that a power cut could take back.
 */
export class Hub {
  readonly #deps: HubDependencies;
  readonly #settings: HubSettings;
  readonly #hosts: Map<string, HostState>;
  readonly #acks: AcksOut;
  readonly #refusals: Refusals;
  #watch: WatchState;
  #pending = nothing();
  /** Heard of, with nothing that must be stored at once. */
  readonly #seen = new Set<string>();
  readonly #retained: RetainedState;
  readonly #alertsOut: AlertsOut;
  #full = false;
  /** The broker lets it hear not all that it asks for: silence means nothing. */
  #deaf = false;
  #stopped = false;
  /** null: not connected. */
  #listeningSinceMs: number | null = null;
  #tickedMs = 0;
  #savedMs = 0;
  #retainedMs = 0;
  #cancelCommit: (() => void) | null = null;
  #cancelTick: (() => void) | null = null;
  readonly #counters = { events: 0, duplicates: 0, notTaken: 0 };

  /** @throws HubStoreError */
  constructor(settings: HubSettings, deps: HubDependencies) {
    this.#settings = settings;
    this.#deps = deps;
    this.#hosts = deps.store.load();
    this.#watch = deps.store.loadWatch();
    this.#refusals = new Refusals(deps.log);
    this.#retained = new RetainedState(deps, (message) => this.receive(message));
    this.#alertsOut = new AlertsOut(deps);
    this.#acks = new AcksOut(deps, (key) => this.#hosts.get(key));
  }

  get counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, acknowledged: this.#acks.sent };
  }

  get hosts(): number {
    return this.#hosts.size;
  }

  /** Subscribes, and begins to watch. What is retained is read by exact topics: a wildcard would be cut short. */
  start(): void {
    this.#tick();
    void this.#subscribe();
  }

  async #subscribe(): Promise<void> {
    const kinds = ['alert/+', 'event', 'status', 'telemetry', 'reported'];
    const filters = this.#settings.sites.flatMap((site) =>
      kinds.map((kind) => `${ROOT}/${site}/a/+/${kind}`),
    );
    let againMs = TICK_MS;
    try {
      const answers = await this.#deps.broker.subscribe(filters, { retained: false });
      const refused = answers.filter(({ granted }) => !granted);
      for (const { filter, code } of refused)
        this.#deps.log('error', 'hub.subscriptionRefused', { filter, code });
      if (this.#deaf && refused.length === 0 && this.#listeningSinceMs !== null)
        this.#listeningSinceMs = this.#deps.nowMs();
      this.#deaf = refused.length > 0;
      if (!this.#deaf) {
        this.#deps.log('info', 'hub.listening', { sites: this.#settings.sites });
        return;
      }
      againMs = ASK_AGAIN_MS;
    } catch {
      // Not reachable: whoever connects has said so.
    }
    if (!this.#stopped) this.#deps.setTimer(() => void this.#subscribe(), againMs);
  }

  /** At each new connection. */
  connected(): void {
    this.#listeningSinceMs = this.#deps.nowMs();
    this.#retained.want(this.#hosts.values());
  }

  disconnected(): void {
    this.#listeningSinceMs = null;
  }

  receive(message: Message): void {
    if (this.#stopped) return;
    const from = parseMessage(message);
    if (from === null) return;
    if ('refusal' in from) {
      this.#refusals.count(from.site, from.hostId, from.refusal);
      return;
    }
    const { site, hostId, observation } = from;
    if (!this.#settings.sites.includes(site) || !isOurs(hostId, this.#settings.shard)) return;
    const key = hostKey(site, hostId);
    const known = this.#hosts.get(key);
    if (known === undefined && this.#hosts.size >= MAX_HOSTS) {
      this.#refusals.count(site, hostId, 'tooManyHosts');
      return;
    }
    const host = known ?? newHost(site, hostId, this.#deps.nowMs());
    if (known === undefined) this.#retained.want([host]);
    try {
      this.#take(key, host, observation);
    } catch (error) {
      // A bug of ours. The broker would send it again at each start: one message must not keep all others away.
      this.#refusals.count(site, hostId, 'hubFault', (error as Error).stack);
    }
  }

  #take(key: string, host: HostState, observation: Observation): void {
    const nowMs = this.#deps.nowMs();
    switch (observation.kind) {
      case 'event':
        this.#takeEvent(key, host, observation, nowMs);
        return;
      case 'reported':
        if (this.#pending.reported.length >= MAX_PENDING) {
          // It is retained, and read again when there is room.
          this.#counters.notTaken++;
          return;
        }
        this.#hosts.set(key, observation.retained ? host : { ...host, lastSeenMs: nowMs });
        this.#pending.hosts.add(key);
        this.#pending.reported.push({ key, reported: observation, receivedMs: nowMs });
        this.#commitSoon();
        return;
      case 'status':
        this.#hosts.set(key, takeStatus(host, observation, nowMs));
        break;
      case 'telemetry':
        this.#hosts.set(key, takeTelemetry(host, observation, nowMs));
        break;
    }
    this.#seen.add(key);
  }

  #takeEvent(key: string, host: HostState, event: InboundEvent, nowMs: number): void {
    if (this.#pending.events.length >= MAX_PENDING) {
      this.#counters.notTaken++;
      return;
    }
    const taken = takeEvent(host, event, nowMs);
    if ('refusal' in taken) {
      this.#refusals.count(host.site, host.hostId, taken.refusal);
      return;
    }
    this.#hosts.set(key, taken.host);
    this.#acks.received(key, event.epoch, event.n);
    if (taken.duplicate) {
      this.#counters.duplicates++;
      this.#seen.add(key);
    } else {
      this.#counters.events++;
      this.#pending.hosts.add(key);
      this.#pending.events.push({ key, event, receivedMs: nowMs });
    }
    if (this.#pending.events.length >= COMMIT_EVENTS && !this.#full) this.#commit();
    else this.#commitSoon();
  }

  #commitSoon(): void {
    this.#cancelCommit ??= this.#deps.setTimer(() => this.#commit(), this.#full ? TICK_MS : COMMIT_AFTER_MS);
  }

  /** Stores what is pending; what was received before counts as stored then, and only then. */
  #commit(alsoSeen = false): void {
    this.#cancelCommit?.();
    this.#cancelCommit = null;
    const { hosts, events, reported } = this.#pending;
    if (alsoSeen) for (const key of this.#seen) hosts.add(key);
    const states = [...hosts].map((key) => this.#hosts.get(key) as HostState);
    const written = this.#guarded(() =>
      this.#deps.store.write({ hosts: states, events, reported, refusals: this.#refusals.fresh }),
    );
    if (written !== true) {
      if (written === false) this.#noRoom();
      return;
    }
    if (this.#full) {
      this.#deps.log('info', 'hub.storeRecovered');
      this.#retained.want(this.#hosts.values());
    }
    this.#full = false;
    this.#pending = nothing();
    this.#refusals.written();
    for (const key of hosts) this.#seen.delete(key);
    this.#acks.stored();
  }

  #noRoom(): void {
    if (!this.#full) this.#deps.log('error', 'hub.storeFull', { path: this.#deps.store.path });
    this.#full = true;
    this.#commitSoon();
  }

  /** undefined: the store has failed for good, and the hub with it. */
  #guarded<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#stopped = true;
      this.#deps.onFailure(error);
      return undefined;
    }
  }

  #tick(): void {
    this.#cancelTick = this.#deps.setTimer(() => this.#tick(), TICK_MS);
    const nowMs = this.#deps.nowMs();
    this.#deps.onTick();
    // The process, or the clock, stood still: nobody could be heard.
    const stood = this.#tickedMs > 0 && Math.abs(nowMs - this.#tickedMs - TICK_MS) > 3 * TICK_MS;
    this.#tickedMs = nowMs;
    if (stood && this.#listeningSinceMs !== null) this.#listeningSinceMs = nowMs;
    if (nowMs - this.#savedMs >= SAVE_SEEN_MS || nowMs < this.#savedMs) {
      this.#savedMs = nowMs;
      this.#commit(true);
    }
    this.#watchOver(nowMs);
    if (this.#listeningSinceMs !== null) void this.#alertsOut.publish();
    void this.#retained.read();
    if (nowMs - this.#retainedMs < RETAIN_EVERY_MS && nowMs >= this.#retainedMs) return;
    this.#retainedMs = nowMs;
    const removed = this.#guarded(() => this.#deps.store.retain());
    if (removed === undefined || removed.rows === 0) return;
    this.#deps.log('info', 'hub.retention', { rows: removed.rows });
    if (Object.keys(removed.notCopied).length > 0)
      this.#deps.log('warning', 'hub.influxMissed', removed.notCopied);
  }

  #watchOver(nowMs: number): void {
    if (this.#listeningSinceMs === null || this.#deaf || this.#stopped) return;
    const hearing = { listeningSinceMs: this.#listeningSinceMs, leastMs: this.#settings.silentAfterMs };
    const { state, alerts } = watch(this.#watch, this.#hosts, hearing, nowMs);
    if (alerts.length === 0 && JSON.stringify(state) === JSON.stringify(this.#watch)) return;
    // Without room it is found anew at the next tick.
    if (this.#guarded(() => this.#deps.store.alert(alerts, state)) !== true) return;
    this.#watch = state;
    for (const { type, severity, site, data } of alerts) {
      this.#deps.log('warning', 'hub.alert', {
        type,
        severity,
        site,
        state: data.state,
        sentence: data.sentence,
      });
    }
  }

  /** Stores and acknowledges what it has. */
  async stop(): Promise<void> {
    this.#cancelTick?.();
    this.#commit(true);
    this.#stopped = true;
    this.#cancelCommit?.();
    this.#retained.stop();
    await Promise.all([this.#acks.flush(), this.#alertsOut.stop()]);
  }
}
