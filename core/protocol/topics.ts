import type { Severity } from './events.ts';
import { MAX_TOPIC_LEVEL_CHARACTERS } from './limits.ts';

/** Every topic of the protocol: `edgewood/1/<site>/…`. */
export const PROTOCOL_VERSION = 1;
export const ROOT = `edgewood/${PROTOCOL_VERSION}`;

/** What is wrong with a site or host id as a topic level, or null. */
export function topicLevelFault(text: string): string | null {
  if (text.length === 0 || text.length > MAX_TOPIC_LEVEL_CHARACTERS) {
    return `1 to ${MAX_TOPIC_LEVEL_CHARACTERS} characters expected, ${text.length} found`;
  }
  if (/[/+#]/.test(text)) return 'the characters / + # are not allowed';
  if (/\p{C}/u.test(text)) return 'control characters are not allowed';
  return null;
}

/** Topics of one agent. */
export interface AgentTopics {
  readonly status: string;
  readonly event: string;
  readonly telemetry: string;
  readonly reported: string;
  readonly ack: string;
  /** What the agent subscribes to. */
  readonly subscriptions: readonly string[];
  alert(severity: Severity): string;
  reply(commandId: string): string;
}

export function agentTopics(site: string, hostId: string): AgentTopics {
  const base = `${ROOT}/${site}/a/${hostId}`;
  return {
    status: `${base}/status`,
    event: `${base}/event`,
    telemetry: `${base}/telemetry`,
    reported: `${base}/reported`,
    ack: `${base}/ack`,
    subscriptions: [`${base}/cmd/+`, `${base}/ack`],
    alert: (severity) => `${base}/alert/${severity}`,
    reply: (commandId) => `${base}/reply/${commandId}`,
  };
}

export type InboundTopic = { readonly kind: 'ack' } | { readonly kind: 'command'; readonly name: string };

/** What an inbound topic is for, or null where it is none of ours. */
export function parseInboundTopic(topic: string, site: string, hostId: string): InboundTopic | null {
  const base = `${ROOT}/${site}/a/${hostId}/`;
  if (!topic.startsWith(base)) return null;
  const rest = topic.slice(base.length);
  if (rest === 'ack') return { kind: 'ack' };
  const command = /^cmd\/([a-z][a-z-]{0,31})$/.exec(rest);
  return command === null ? null : { kind: 'command', name: command[1] as string };
}
