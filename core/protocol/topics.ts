import { SEVERITIES, type Severity } from './events.ts';
import { MAX_TOPIC_LEVEL_CHARACTERS } from './limits.ts';

/** Every topic of the protocol: `edgewood/1/<site>/…`. */
export const PROTOCOL_VERSION = 1;
export const ROOT = `edgewood/${PROTOCOL_VERSION}`;

/** What is wrong with a site, host id, model or command id as a topic level, or null. */
export function topicLevelFault(text: string): string | null {
  if (text.length === 0 || text.length > MAX_TOPIC_LEVEL_CHARACTERS) {
    return `1 to ${MAX_TOPIC_LEVEL_CHARACTERS} characters expected, ${text.length} found`;
  }
  if (/[/+#]/.test(text)) return 'the characters / + # are not allowed';
  if (/\p{C}/u.test(text)) return 'control characters are not allowed';
  return null;
}

/** @throws RangeError: a level with a slash or wildcard would reach another host's topics */
function level(name: string, text: string): string {
  const fault = topicLevelFault(text);
  if (fault !== null) throw new RangeError(`${name} is no topic level: ${fault}`);
  return text;
}

function number(name: string, n: number): number {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`${name} is no topic level: ${n}`);
  return n;
}

/** Topics of one agent. */
export interface AgentTopics {
  readonly status: string;
  readonly event: string;
  readonly telemetry: string;
  readonly reported: string;
  readonly ack: string;
  /** What `doctor` says to itself. */
  readonly selftest: string;
  /** What the agent subscribes to. */
  readonly subscriptions: readonly string[];
  alert(severity: Severity): string;
  /** @throws RangeError for a command id that is no topic level */
  reply(commandId: string): string;
  command(name: string): string;
}

/** @throws RangeError for a site or host id that is no topic level */
export function agentTopics(site: string, hostId: string): AgentTopics {
  const base = `${ROOT}/${level('site', site)}/a/${level('hostId', hostId)}`;
  return {
    status: `${base}/status`,
    event: `${base}/event`,
    telemetry: `${base}/telemetry`,
    reported: `${base}/reported`,
    ack: `${base}/ack`,
    selftest: `${base}/selftest`,
    subscriptions: [`${base}/cmd/+`, `${base}/ack`],
    alert: (severity) => `${base}/alert/${severity}`,
    reply: (commandId) => `${base}/reply/${level('command id', commandId)}`,
    command: (name) => `${base}/cmd/${level('command name', name)}`,
  };
}

/** Topics on which the hub speaks of a site. @throws RangeError for a site that is no topic level */
export function hubTopics(site: string): { alert(severity: Severity): string } {
  const base = `${ROOT}/${level('site', site)}/hub`;
  return { alert: (severity) => `${base}/alert/${severity}` };
}

/** Topics of a site's models, which many agents read. Builders throw RangeError for what is no topic level. */
export interface SiteTopics {
  root(version: number): string;
  release(model: string, version: number): string;
  rollout(model: string): string;
  chunk(sha256: string, index: number): string;
}

/** @throws RangeError for a site that is no topic level */
export function siteTopics(site: string): SiteTopics {
  const base = `${ROOT}/${level('site', site)}`;
  return {
    root: (version) => `${base}/root/${number('version', version)}`,
    release: (model, version) => `${base}/m/${level('model', model)}/release/${number('version', version)}`,
    rollout: (model) => `${base}/m/${level('model', model)}/rollout`,
    chunk: (sha256, index) => {
      if (!SHA256.test(sha256))
        throw new RangeError('sha256 is no topic level: 64 hexadecimal digits expected');
      return `${base}/b/${sha256}/${number('index', index)}`;
    },
  };
}

const SHA256 = /^[0-9a-f]{64}$/;
const COUNT = /^(?:0|[1-9]\d{0,14})$/;
const COMMAND = /^[a-z][a-z-]{0,31}$/;
const AGENT_KINDS = ['status', 'event', 'telemetry', 'reported', 'ack', 'selftest'] as const;

interface OfAgent {
  readonly site: string;
  readonly hostId: string;
}
interface OfSite {
  readonly site: string;
}

export type Topic =
  | ({ readonly kind: (typeof AGENT_KINDS)[number] } & OfAgent)
  | ({ readonly kind: 'alert'; readonly severity: Severity } & OfAgent)
  | ({ readonly kind: 'reply'; readonly commandId: string } & OfAgent)
  | ({ readonly kind: 'command'; readonly name: string } & OfAgent)
  | ({ readonly kind: 'hubAlert'; readonly severity: Severity } & OfSite)
  | ({ readonly kind: 'root'; readonly version: number } & OfSite)
  | ({ readonly kind: 'release'; readonly model: string; readonly version: number } & OfSite)
  | ({ readonly kind: 'rollout'; readonly model: string } & OfSite)
  | ({ readonly kind: 'chunk'; readonly sha256: string; readonly index: number } & OfSite);

/** What a topic is for, or null where it is none of this protocol's. Never throws. */
export function parseTopic(topic: string): Topic | null {
  if (!topic.startsWith(`${ROOT}/`)) return null;
  const levels = topic.slice(ROOT.length + 1).split('/', 7);
  if (levels.length > 6 || levels.some((text) => topicLevelFault(text) !== null)) return null;
  const [site = '', family = '', ...rest] = levels;
  if (family === 'a') return parseAgentTopic(site, rest);
  const [first = '', second = '', third = ''] = rest;
  const severity = SEVERITIES.find((known) => known === second);
  if (family === 'hub' && rest.length === 2 && first === 'alert' && severity !== undefined) {
    return { kind: 'hubAlert', site, severity };
  }
  if (family === 'root' && rest.length === 1 && COUNT.test(first)) {
    return { kind: 'root', site, version: Number(first) };
  }
  if (family === 'm' && rest.length === 2 && second === 'rollout')
    return { kind: 'rollout', site, model: first };
  if (family === 'm' && rest.length === 3 && second === 'release' && COUNT.test(third)) {
    return { kind: 'release', site, model: first, version: Number(third) };
  }
  if (family === 'b' && rest.length === 2 && SHA256.test(first) && COUNT.test(second)) {
    return { kind: 'chunk', site, sha256: first, index: Number(second) };
  }
  return null;
}

function parseAgentTopic(site: string, rest: readonly string[]): Topic | null {
  const [hostId = '', what = '', argument = ''] = rest;
  if (rest.length === 2) {
    const kind = AGENT_KINDS.find((known) => known === what);
    return kind === undefined ? null : { kind, site, hostId };
  }
  if (rest.length !== 3) return null;
  const severity = SEVERITIES.find((known) => known === argument);
  if (what === 'alert' && severity !== undefined) return { kind: 'alert', site, hostId, severity };
  if (what === 'reply') return { kind: 'reply', site, hostId, commandId: argument };
  if (what === 'cmd' && COMMAND.test(argument)) return { kind: 'command', site, hostId, name: argument };
  return null;
}

export type InboundTopic = { readonly kind: 'ack' } | { readonly kind: 'command'; readonly name: string };

/** What an inbound topic is for, or null where it is not for this agent. */
export function parseInboundTopic(topic: string, site: string, hostId: string): InboundTopic | null {
  const parsed = parseTopic(topic);
  if (parsed === null || parsed.site !== site || !('hostId' in parsed) || parsed.hostId !== hostId)
    return null;
  if (parsed.kind === 'ack') return { kind: 'ack' };
  return parsed.kind === 'command' ? { kind: 'command', name: parsed.name } : null;
}
