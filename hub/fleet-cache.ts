import { type FleetHost, fleetHost } from './fleet.ts';
import type { HubReader, KnownHost } from './store/reader.ts';
import { hostKey, type WatchState } from './watch.ts';

/** The fleet as it was last read: of each further look only what has changed is read again. */
export class FleetCache {
  readonly #reader: HubReader;
  readonly #known = new Map<string, KnownHost>();
  #hosts = new Map<string, FleetHost>();
  #watch: WatchState | null = null;
  #change = -1;

  constructor(reader: HubReader) {
    this.#reader = reader;
  }

  /** By site and id. */
  get hosts(): FleetHost[] {
    return [...this.#hosts.values()];
  }

  get incidents(): WatchState['fleet'] {
    return this.#watch?.fleet ?? [];
  }

  /** @returns hosts of which something was said that is new; where they were only heard, nothing */
  refresh(nowMs: number): FleetHost[] {
    const watch = this.#reader.watch();
    const concerned = new Set<string>();
    const before = this.#hosts.size;
    for (const row of this.#reader.hosts(this.#change)) {
      const key = hostKey(row.host.site, row.host.hostId);
      this.#known.set(key, row);
      this.#change = Math.max(this.#change, row.change);
      concerned.add(key);
    }
    const silent = this.#watch?.silent ?? {};
    for (const key of Object.keys({ ...silent, ...watch.silent }))
      if (key in silent !== key in watch.silent) concerned.add(key);
    // What is shown of these ends with time.
    for (const [key, { cloned }] of this.#hosts) if (cloned) concerned.add(key);
    this.#watch = watch;
    const changed: FleetHost[] = [];
    for (const key of concerned) {
      const known = this.#known.get(key);
      if (known === undefined) continue;
      const host = fleetHost(known, watch, nowMs);
      const was = this.#hosts.get(key);
      this.#hosts.set(key, host);
      if (was === undefined || essence(was) !== essence(host)) changed.push(host);
    }
    if (this.#hosts.size > before)
      this.#hosts = new Map([...this.#hosts].sort(([a], [b]) => (a < b ? -1 : 1)));
    return changed;
  }

  /** As they were heard last. */
  reread(hosts: readonly FleetHost[], nowMs: number): FleetHost[] {
    return hosts.map((host) => {
      const known = this.#reader.host(host.site, host.id);
      return known === null || this.#watch === null ? host : fleetHost(known, this.#watch, nowMs);
    });
  }
}

/** Without what changes with every message. */
const essence = ({ lastSeenAt: _, ...host }: FleetHost): string => JSON.stringify(host);
