import { toCloudEvent } from '../../core/protocol/cloudevents.ts';
import type { StoredEvent } from '../../core/protocol/events.ts';
import { MAX_EVENT_BYTES } from '../../core/protocol/limits.ts';
import type { AgentIdentity } from '../../core/protocol/status.ts';

export type Encoded = { readonly text: string } | { readonly fault: string };

/** The CloudEvent as JSON, or why this event can never be sent: a damaged record must not block those behind it. */
export function encodeEvent(
  event: StoredEvent,
  { site, hostId }: AgentIdentity,
  nowMs: number,
  again: boolean,
): Encoded {
  let text: string;
  try {
    text = JSON.stringify(toCloudEvent(event, { site, hostId, nowMs, again }));
  } catch (error) {
    return { fault: `its stored data can't be read: ${error instanceof Error ? error.message : error}` };
  }
  const bytes = Buffer.byteLength(text);
  return bytes > MAX_EVENT_BYTES ? { fault: `${bytes} bytes, at most ${MAX_EVENT_BYTES}` } : { text };
}
