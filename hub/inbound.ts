import { parseAcknowledgement } from '../core/protocol/acknowledgement.ts';
import { MAX_EVENT_BYTES, MAX_TELEMETRY_BYTES } from '../core/protocol/limits.ts';
import type { Range } from '../core/protocol/ranges.ts';
import { parseTopic } from '../core/protocol/topics.ts';
import type { Message } from './broker.ts';

/** What agents send to the hub, checked. Whoever may write below `a/<id>` can send anything there, and only there. */

const MAX_STATUS_BYTES = 4 * 1024;
const MAX_REPORTED_BYTES = 32 * 1024;
const MAX_ID_CHARACTERS = 128;
const MAX_NAME_CHARACTERS = 255;
const MAX_LABELS = 32;
const EVENT_TYPE = /^edgewood\.[a-z]{1,32}(?:\.[a-z]{1,32}){0,3}$/;

/** Why a message was turned away: a stable word, counted by host. */
export type Refusal =
  | 'unknownTopic'
  | 'tooLarge'
  | 'notJson'
  | 'badDocument'
  /** It says to be from another host, or site, than its topic. */
  | 'otherHost'
  /** More numbers apart from each other than are kept of an epoch. */
  | 'fragmented'
  | 'tooManyHosts'
  /** The hub's own fault: a bug. */
  | 'hubFault';

export interface Described {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface InboundEvent {
  readonly kind: 'event';
  readonly epoch: string;
  readonly n: number;
  readonly type: string;
  readonly severity: string | null;
  readonly timeMs: number;
  readonly subject: string | null;
  /** `data` as JSON; null where the agent sent none that is an object. */
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly host: Described | null;
  /** Numbers that a tombstone names as lost, and of which epoch. */
  readonly dropped: { readonly epoch: string; readonly ranges: readonly Range[] } | null;
}

export interface InboundStatus {
  readonly kind: 'status';
  readonly online: boolean;
  readonly bootId: string;
  readonly agentVersion: string;
  /** null: a will, which was written before. */
  readonly atMs: number | null;
  readonly retained: boolean;
}

export interface InboundTelemetry {
  readonly kind: 'telemetry';
  readonly bootId: string;
  readonly state: string;
}

export interface InboundReported {
  readonly kind: 'reported';
  readonly retained: boolean;
  readonly atMs: number;
  readonly text: string;
  readonly document: Readonly<Record<string, unknown>>;
}

export type Observation = InboundEvent | InboundStatus | InboundTelemetry | InboundReported;

export interface FromHost {
  readonly site: string;
  readonly hostId: string;
  readonly observation: Observation;
}

export interface Refused {
  readonly site: string | null;
  readonly hostId: string | null;
  readonly refusal: Refusal;
}

/** null: an empty retained message, which is how a document is taken away; or none of the hub's business. */
export function parseMessage({ topic, payload, retained }: Message): FromHost | Refused | null {
  const parsed = parseTopic(topic);
  if (parsed === null || !('hostId' in parsed)) return { site: null, hostId: null, refusal: 'unknownTopic' };
  const { site, hostId } = parsed;
  const refused = (refusal: Refusal): Refused => ({ site, hostId, refusal });
  const found = (observation: Observation | Refusal): FromHost | Refused =>
    typeof observation === 'string' ? refused(observation) : { site, hostId, observation };
  if (payload.length === 0) return null;
  switch (parsed.kind) {
    case 'alert':
    case 'event': {
      const document = parseDocument(payload, MAX_EVENT_BYTES);
      if (typeof document === 'string') return refused(document);
      return found(parseEvent(document, parsed.kind === 'alert' ? parsed.severity : null, site, hostId));
    }
    case 'status': {
      const document = parseDocument(payload, MAX_STATUS_BYTES);
      if (typeof document === 'string') return refused(document);
      return found(parseStatus(document, retained, hostId));
    }
    case 'telemetry': {
      const document = parseDocument(payload, MAX_TELEMETRY_BYTES);
      if (typeof document === 'string') return refused(document);
      return found(parseTelemetry(document, hostId));
    }
    case 'reported': {
      const document = parseDocument(payload, MAX_REPORTED_BYTES);
      if (typeof document === 'string') return refused(document);
      return found(parseReported(document, retained, site, hostId));
    }
    default:
      return null;
  }
}

type Document = Readonly<Record<string, unknown>>;

function parseDocument(payload: Uint8Array, maxBytes: number): Document | Refusal {
  if (payload.length > maxBytes) return 'tooLarge';
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return 'notJson';
  }
  return isObject(document) ? document : 'badDocument';
}

const isObject = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isText = (value: unknown, most = MAX_ID_CHARACTERS): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= most;

/** Milliseconds since 1970, or null. */
function timeOf(value: unknown): number | null {
  const ms = typeof value === 'string' && value.length <= 40 ? Date.parse(value) : Number.NaN;
  return Number.isFinite(ms) ? ms : null;
}

function parseEvent(
  document: Document,
  severity: string | null,
  site: string,
  hostId: string,
): InboundEvent | Refusal {
  const { specversion, id, source, type, subject, time, sequence, sequenceepoch: epoch, data } = document;
  if (specversion !== '1.0' || !isText(epoch, 64) || !isText(type, 100) || !EVENT_TYPE.test(type))
    return 'badDocument';
  if (typeof sequence !== 'string' || !/^[1-9]\d{0,15}$/.test(sequence)) return 'badDocument';
  const n = Number(sequence);
  const timeMs = timeOf(time);
  if (!Number.isSafeInteger(n) || id !== `${epoch}-${n}` || timeMs === null || !isObject(data))
    return 'badDocument';
  if (source !== `//edgewood/${encodeURIComponent(site)}/${encodeURIComponent(hostId)}`) return 'otherHost';
  const { host } = data;
  if (isObject(host) && host['id'] !== hostId) return 'otherHost';
  return {
    kind: 'event',
    epoch,
    n,
    type,
    severity,
    timeMs,
    subject: isText(subject) ? subject : null,
    text: JSON.stringify(data),
    data,
    host: describedIn(host),
    dropped: type === 'edgewood.events.dropped' ? droppedIn(data) : null,
  };
}

function describedIn(host: unknown): Described | null {
  if (!isObject(host) || !isText(host['name'], MAX_NAME_CHARACTERS)) return null;
  return { name: host['name'], labels: labelsOf(host['labels']) };
}

/** What is too much is left out: labels only sort hosts into groups. */
function labelsOf(value: unknown): Record<string, string> {
  const entries = isObject(value) ? Object.entries(value) : [];
  return Object.fromEntries(
    entries
      .filter((entry): entry is [string, string] => isText(entry[0]) && isText(entry[1]))
      .slice(0, MAX_LABELS),
  );
}

/** A tombstone's ranges are of the same make as an acknowledgement's. */
function droppedIn({ epoch, ranges }: Document): InboundEvent['dropped'] {
  return parseAcknowledgement({ schemaVersion: 1, epoch, ranges });
}

function parseStatus(document: Document, retained: boolean, hostId: string): InboundStatus | Refusal {
  const { online, bootId, agentVersion, at } = document;
  if (document['hostId'] !== hostId) return 'otherHost';
  if (typeof online !== 'boolean' || !isText(bootId) || !isText(agentVersion)) return 'badDocument';
  const atMs = at === undefined ? null : timeOf(at);
  if (at !== undefined && atMs === null) return 'badDocument';
  return { kind: 'status', online, bootId, agentVersion, atMs, retained };
}

function parseTelemetry(document: Document, hostId: string): InboundTelemetry | Refusal {
  const { bootId, health } = document;
  if (document['hostId'] !== hostId) return 'otherHost';
  if (!isText(bootId) || !isObject(health) || !isText(health['state'], 32)) return 'badDocument';
  return { kind: 'telemetry', bootId, state: health['state'] };
}

function parseReported(
  document: Document,
  retained: boolean,
  site: string,
  hostId: string,
): InboundReported | Refusal {
  if (document['hostId'] !== hostId || document['site'] !== site) return 'otherHost';
  const atMs = timeOf(document['at']);
  if (document['schemaVersion'] !== 1 || atMs === null || !isText(document['state'], 32))
    return 'badDocument';
  return { kind: 'reported', retained, atMs, text: JSON.stringify(document), document };
}
