import { MAX_INBOUND_PAYLOAD_BYTES } from './limits.ts';
import { parseInboundTopic, parseTopic } from './topics.ts';

/** What came in, or why it was turned away: a stable word, counted. Never throws, whatever the bytes. */
export type Inbound =
  | {
      readonly outcome: 'accepted';
      readonly kind: 'ack' | 'command';
      readonly document: Record<string, unknown>;
    }
  | { readonly outcome: 'rejected'; readonly reason: InboundRejection };
export type InboundRejection =
  | 'unknownTopic'
  | 'tooLarge'
  | 'retained'
  | 'notUtf8'
  | 'notJson'
  | 'notAnObject'
  | 'unsupported';

export function parseInbound(
  topic: string,
  payload: Uint8Array,
  retained: boolean,
  host: { readonly site: string; readonly hostId: string },
): Inbound {
  const rejected = (reason: InboundRejection): Inbound => ({ outcome: 'rejected', reason });
  const parsed = parseInboundTopic(topic, host.site, host.hostId);
  if (parsed === null) return rejected('unknownTopic');
  if (payload.length > MAX_INBOUND_PAYLOAD_BYTES) return rejected('tooLarge');
  // A retained command would come again at every reconnect.
  if (retained) return rejected('retained');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(payload);
  } catch {
    return rejected('notUtf8');
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return rejected('notJson');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    return rejected('notAnObject');
  return { outcome: 'accepted', kind: parsed.kind, document: document as Record<string, unknown> };
}

/** Whether a topic carries what the centre says: signed, and so for whoever verifies it. */
export function controlKind(
  topic: string,
  host: { readonly site: string; readonly hostId: string },
): { readonly kind: 'document' } | { readonly kind: 'command'; readonly name: string } | null {
  const parsed = parseTopic(topic);
  if (parsed === null || parsed.site !== host.site) return null;
  if (parsed.kind === 'command') return parsed.hostId === host.hostId ? parsed : null;
  const ofSite = ['root', 'release', 'rollout', 'chunk'].includes(parsed.kind);
  return ofSite ? { kind: 'document' } : null;
}
