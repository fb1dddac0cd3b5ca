import {
  addRange,
  addRanges,
  countOf,
  missingRanges,
  type RangeSet,
  rangeOf,
} from '../core/protocol/ranges.ts';
import type { InboundEvent, InboundStatus, InboundTelemetry, Refusal } from './inbound.ts';

/** One host as the hub knows it. Pure: what came goes in, what it means comes out. */

/** Ranges kept of a host: one that numbers at random can't fill the memory. */
const MAX_RANGES = 2048;
/** Epochs whose numbers are kept; of older ones the events stay, and are told apart by their ids. */
const MAX_EPOCHS = 16;
/** Telemetry is batched over 10 s. */
const EXPECTED_CADENCE_MS = 10_000;
const CLONE_SHOWN_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Of an epoch's name, when it was born: base 36 (agent/store/events-out.ts). */
const EPOCH_TIME_DIGITS = 9;

export interface EpochState {
  /** Numbers that are stored, or were until retention took them. */
  readonly stored: RangeSet;
  /** Numbers that a tombstone named. */
  readonly named: RangeSet;
  /** The lowest that came: what is before it may be from before the hub. */
  readonly first: number;
  readonly last: number;
  /** Since when numbers have been missing; null: none are. */
  readonly gapSinceMs: number | null;
}

export interface HostIncident {
  readonly id: string;
  readonly severity: string;
  readonly trigger: string;
  readonly feature: string;
  readonly openedAtMs: number;
  /** When the hub heard of it. */
  readonly heardMs: number;
}

export interface HostState {
  readonly site: string;
  readonly hostId: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly agentVersion: string | null;
  /** What the agent says it does: warming-up, watching, incident, maintenance. */
  readonly activity: string | null;
  /** `stopped`: it said goodbye; `lost`: the broker lost it. */
  readonly presence: 'online' | 'stopped' | 'lost';
  readonly bootId: string | null;
  readonly bornMs: number;
  /** Boots that were followed by another, newest last. */
  readonly formerBoots: readonly string[];
  /** When a boot last spoke again that another had followed; null or not there: none did. */
  readonly returnedAtMs?: number | null;
  /** When two boots last spoke in turns under this one id; null: never. */
  readonly clonedAtMs: number | null;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly lastTelemetryMs: number | null;
  readonly cadenceMs: number;
  readonly incident: HostIncident | null;
  readonly model: { readonly name: string; readonly version: string; readonly sha256: string } | null;
  /** Of the newest event that told of name, labels, incident or model: older ones come late, and change nothing. */
  readonly told: { readonly epoch: string; readonly n: number };
  readonly epochs: Readonly<Record<string, EpochState>>;
}

export const newHost = (site: string, hostId: string, nowMs: number): HostState => ({
  site,
  hostId,
  name: hostId,
  labels: {},
  agentVersion: null,
  activity: null,
  presence: 'online',
  bootId: null,
  bornMs: 0,
  formerBoots: [],
  clonedAtMs: null,
  firstSeenMs: nowMs,
  lastSeenMs: nowMs,
  lastTelemetryMs: null,
  cadenceMs: EXPECTED_CADENCE_MS,
  incident: null,
  model: null,
  told: { epoch: '', n: 0 },
  epochs: {},
});

const ONLY_HEARD: ReadonlySet<string> = new Set(['lastSeenMs', 'lastTelemetryMs', 'cadenceMs']);

/** Whether it says more of a host than that it was heard. */
export const isNews = (before: HostState | undefined, after: HostState): boolean =>
  before === undefined ||
  Object.entries(after).some(
    ([key, value]) => !ONLY_HEARD.has(key) && value !== before[key as keyof HostState],
  );

export const isCloned = ({ clonedAtMs }: HostState, nowMs: number): boolean =>
  clonedAtMs !== null && nowMs - clonedAtMs < CLONE_SHOWN_MS;

/** A host names its epochs: one may be called as something that every object has. */
const epochOf = (epochs: HostState['epochs'], name: string): EpochState | undefined =>
  Object.hasOwn(epochs, name) ? epochs[name] : undefined;

/** What is stored of an epoch. */
export const storedOf = (host: HostState | undefined, epoch: string): RangeSet =>
  (host === undefined ? undefined : epochOf(host.epochs, epoch))?.stored ?? [];

/** Numbers that never came, and that no tombstone names. */
export const missingOf = (epoch: EpochState): RangeSet =>
  missingRanges(epoch.last, epoch.stored, epoch.named);

export interface Gap {
  readonly epoch: string;
  readonly count: number;
  readonly ranges: RangeSet;
  readonly sinceMs: number;
}

/** What is missing from the lowest number on that ever came: what is before may have gone elsewhere. */
export function gapsOf(host: HostState): Gap[] {
  return Object.entries(host.epochs).flatMap(([epoch, state]) => {
    const ranges = missingOf(state).flatMap(([from, to]): RangeSet => {
      const begin = Math.max(from, state.first);
      return begin > to ? [] : [[begin, to]];
    });
    return ranges.length === 0
      ? []
      : [{ epoch, count: countOf(ranges), ranges, sinceMs: state.gapSinceMs ?? 0 }];
  });
}

export type Taken = { readonly host: HostState; readonly duplicate: boolean } | { readonly refusal: Refusal };

/** An event's number is accounted for; what it tells of the host is taken over. */
export function takeEvent(host: HostState, event: InboundEvent, nowMs: number): Taken {
  const before = epochOf(host.epochs, event.epoch) ?? newEpoch(event.n);
  const seen: HostState = { ...host, lastSeenMs: nowMs };
  if (rangeOf(before.stored, event.n) !== undefined) return { host: seen, duplicate: true };
  const stored = addRange(before.stored, [event.n, event.n]);
  let epochs = withEpoch(
    seen.epochs,
    event.epoch,
    { ...before, stored, first: Math.min(before.first, event.n), last: Math.max(before.last, event.n) },
    nowMs,
  );
  if (event.dropped !== null) {
    const of = epochOf(epochs, event.dropped.epoch) ?? newEpoch(Number.MAX_SAFE_INTEGER);
    const named = addRanges(of.named, event.dropped.ranges);
    epochs = withEpoch(epochs, event.dropped.epoch, { ...of, named }, nowMs);
  }
  const ranges = Object.values(epochs).reduce(
    (sum, { stored, named }) => sum + stored.length + named.length,
    0,
  );
  if (ranges > MAX_RANGES) return { refusal: 'fragmented' };
  return { host: takeTelling({ ...seen, epochs }, event, nowMs), duplicate: false };
}

const newEpoch = (first: number): EpochState => ({ stored: [], named: [], first, last: 0, gapSinceMs: null });

function withEpoch(
  epochs: HostState['epochs'],
  name: string,
  state: EpochState,
  nowMs: number,
): HostState['epochs'] {
  const complete = missingOf(state).every(([, to]) => to < state.first);
  const next = { ...state, gapSinceMs: complete ? null : (state.gapSinceMs ?? nowMs) };
  const all = { ...epochs, [name]: next };
  const names = Object.keys(all);
  if (names.length <= MAX_EPOCHS) return all;
  // Epochs sort by their time of birth (agent/store/events-out.ts).
  const [oldest] = names.filter((one) => one !== name).sort();
  return Object.fromEntries(Object.entries(all).filter(([one]) => one !== oldest));
}

const isFuture = (epoch: string, nowMs: number): boolean =>
  /^[0-9a-z]{9}/.test(epoch) && Number.parseInt(epoch.slice(0, EPOCH_TIME_DIGITS), 36) > nowMs + DAY_MS;

function takeTelling(host: HostState, event: InboundEvent, nowMs: number): HostState {
  const { told } = host;
  // An epoch from the future is one of a clock that has been set since: it is no measure.
  const another = isFuture(told.epoch, nowMs) ? event.epoch !== told.epoch : event.epoch > told.epoch;
  const newer = another || (event.epoch === told.epoch && event.n > told.n);
  if (!newer) return host;
  return {
    ...host,
    ...(event.host ?? {}),
    told: { epoch: event.epoch, n: event.n },
    incident: event.type === 'edgewood.incident' ? incidentIn(event, host.incident, nowMs) : host.incident,
    model: modelIn(event) ?? host.model,
  };
}

const text = (value: unknown, most = 128): string => (typeof value === 'string' ? value.slice(0, most) : '');

function incidentIn(
  { data, subject, timeMs, severity }: InboundEvent,
  before: HostIncident | null,
  nowMs: number,
): HostIncident | null {
  if (data['state'] !== 'opened' && data['state'] !== 'updated') return null;
  const explanation = data['explanation'] as { top?: readonly { feature?: unknown }[] } | null | undefined;
  const top = Array.isArray(explanation?.top)
    ? (explanation.top[0] as { feature?: unknown } | undefined)
    : undefined;
  const openedAtMs = Date.parse(text(data['openedAt'], 40));
  const id = subject ?? '';
  return {
    id,
    severity: severity ?? 'info',
    trigger: text(data['trigger'], 32),
    feature: text(top?.feature),
    openedAtMs: Number.isFinite(openedAtMs) ? openedAtMs : timeMs,
    heardMs: before?.id === id ? before.heardMs : nowMs,
  };
}

function modelIn({ data }: InboundEvent): HostState['model'] {
  const model = data['model'];
  if (typeof model !== 'object' || model === null) return null;
  const { name, version, sha256 } = model as Readonly<Record<string, unknown>>;
  return { name: text(name), version: text(version), sha256: text(sha256, 64) };
}

/** Who speaks now. Two that speak in turns are two hosts under one id; one that comes back once was only late. */
function bootOf(
  host: HostState,
  bootId: string,
  nowMs: number,
): Pick<HostState, 'bootId' | 'formerBoots' | 'returnedAtMs' | 'clonedAtMs'> {
  const { formerBoots, returnedAtMs = null, clonedAtMs } = host;
  if (bootId === host.bootId) return { bootId, formerBoots, returnedAtMs, clonedAtMs };
  const returns = formerBoots.includes(bootId);
  const again = returns && returnedAtMs !== null && Math.abs(nowMs - returnedAtMs) < CLONE_SHOWN_MS;
  const others = formerBoots.filter((one) => one !== bootId);
  return {
    bootId,
    formerBoots: (host.bootId === null ? others : [...others, host.bootId]).slice(-4),
    returnedAtMs: returns ? nowMs : returnedAtMs,
    clonedAtMs: again ? nowMs : clonedAtMs,
  };
}

/** A birth, a goodbye or a will; a will and a goodbye count only for the latest birth. */
export function takeStatus(host: HostState, status: InboundStatus, nowMs: number): HostState {
  const { online, bootId, agentVersion, atMs, retained } = status;
  const isFormer = host.formerBoots.includes(bootId);
  const will = !online && atMs === null;
  if (will) {
    const current = host.bootId === null || host.bootId === bootId;
    return current ? { ...host, bootId, agentVersion, presence: 'lost' } : host;
  }
  if (!online && isFormer) return host;
  // What lay at the broker says nothing of now, and where it is older than what is known, nothing at all. What comes
  // just now counts whatever its clock says: that may have been set back.
  if (retained && bootId !== host.bootId && (isFormer || (atMs !== null && atMs < host.bornMs))) return host;
  return {
    ...host,
    ...(bootId !== host.bootId && { ...bootOf(host, bootId, nowMs), bornMs: atMs ?? nowMs }),
    ...(!retained && { lastSeenMs: nowMs }),
    agentVersion,
    presence: online ? 'online' : 'stopped',
  };
}

export function takeTelemetry(
  host: HostState,
  { bootId, state }: InboundTelemetry,
  nowMs: number,
): HostState {
  const sinceMs = host.lastTelemetryMs === null ? null : nowMs - host.lastTelemetryMs;
  const usual = sinceMs !== null && sinceMs >= 0 && sinceMs <= 10 * host.cadenceMs;
  return {
    ...host,
    ...bootOf(host, bootId, nowMs),
    lastSeenMs: nowMs,
    lastTelemetryMs: nowMs,
    cadenceMs: usual ? smooth(host.cadenceMs, sinceMs) : host.cadenceMs,
    activity: state,
    presence: 'online',
  };
}

const smooth = (before: number, now: number): number =>
  Math.min(600_000, Math.max(1000, before * 0.8 + now * 0.2));
