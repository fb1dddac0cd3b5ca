/**
 * What a look of `fleet watch` costs beside a hub of many hosts: all read again, as `fleet status` does, against what
 * has changed: `node build/run.mjs test/benchmarks/fleet-watch.ts [hosts]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHubDatabase } from '../../cli/hub/state.ts';
import { fleetHost } from '../../hub/fleet.ts';
import { FleetCache } from '../../hub/fleet-cache.ts';
import { type HostState, newHost, takeEvent } from '../../hub/host.ts';
import { type InboundEvent, parseMessage } from '../../hub/inbound.ts';
import { HubReader } from '../../hub/store/reader.ts';
import { HubStore } from '../../hub/store/store.ts';
import { incidentMessage, SITE } from '../hub/messages.ts';

const HOSTS = Number(process.argv[2] ?? 10_000);
const CHANGED = 10;
const LOOKS = 10;

const directory = mkdtempSync(join(tmpdir(), 'edgewood-fleet-watch-'));
const store = HubStore.open(directory, {
  openDatabase: openHubDatabase,
  nowMs: Date.now,
  randomHex: () => 'abcdef',
  limits: { retentionMs: 1e12, maxBytes: 1e12 },
});
const nowMs = Date.now();
let hosts: HostState[] = Array.from({ length: HOSTS }, (_, i) => {
  const host = { ...newHost(SITE, `host-${i}`, nowMs), labels: { role: 'web', rack: `r${i % 40}` } };
  const message = incidentMessage(host.hostId, 1, { feature: 'cpu', state: 'resolved', timeMs: nowMs });
  const from = parseMessage(message) as { observation: InboundEvent };
  const taken = takeEvent(host, from.observation, nowMs);
  if ('refusal' in taken) throw new Error(taken.refusal);
  return taken.host;
});
const write = (some: readonly HostState[]): void =>
  void store.write({ hosts: some, events: [], reported: [], refusals: [] });
write(hosts);

const reader = HubReader.open(directory, openHubDatabase);
const cache = new FleetCache(reader);
const timed = (work: () => unknown): number => {
  const beganMs = performance.now();
  work();
  return performance.now() - beganMs;
};
const median = (values: number[]): number =>
  Number((values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number).toFixed(2));
const first = timed(() => cache.refresh(nowMs));
const all: number[] = [];
const changed: number[] = [];
const heard: number[] = [];
for (let look = 1; look <= LOOKS; look++) {
  const lastSeenMs = nowMs + look * 1000;
  hosts = hosts.map((host) => ({ ...host, lastSeenMs }));
  write(hosts);
  heard.push(timed(() => cache.refresh(nowMs)));
  hosts = hosts.map((host, i) => (i < CHANGED ? { ...host, activity: `state ${look}` } : host));
  write(hosts.slice(0, CHANGED));
  changed.push(timed(() => cache.refresh(nowMs)));
  all.push(
    timed(() => {
      const watch = reader.watch();
      return reader.hosts().map((known) => JSON.stringify(fleetHost(known, watch, nowMs)));
    }),
  );
}
console.log(
  JSON.stringify({
    hosts: HOSTS,
    firstLookMs: Number(first.toFixed(2)),
    allAgainMs: median(all),
    lookAfter: { allHeardMs: median(heard), tenChangedMs: median(changed) },
  }),
);
reader.close();
store.close();
rmSync(directory, { recursive: true, force: true });
