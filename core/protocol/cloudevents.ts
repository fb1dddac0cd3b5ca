import { EVENT_TYPES, type StoredEvent } from './events.ts';
import { REPLAYED_AFTER_MS } from './limits.ts';
import { SCHEMA_BASE, SCHEMA_FILES } from './schemas.ts';

export const CLOUDEVENTS_CONTENT_TYPE = 'application/cloudevents+json';

/** A structured-mode CloudEvent 1.0, with the `sequence` extension (as text) and our `sequenceepoch`. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly dataschema: string;
  readonly sequence: string;
  readonly sequenceepoch: string;
  readonly data: Record<string, unknown>;
}

export interface Publishing {
  readonly site: string;
  readonly hostId: string;
  readonly nowMs: number;
  /** It was sent before, and no acknowledgement came. */
  readonly again: boolean;
}

/**
 * Wraps a stored event. Only `publishedAt` and `replayed` of an alert depend on when it is sent; all else is the
 * same at every redelivery.
 */
export function toCloudEvent(event: StoredEvent, publishing: Publishing): CloudEvent {
  const data = JSON.parse(event.data) as Record<string, unknown>;
  if (event.type === EVENT_TYPES.incident) {
    data['publishedAt'] = new Date(publishing.nowMs).toISOString();
    const late = publishing.nowMs - event.timeMs > REPLAYED_AFTER_MS;
    data['replayed'] = data['replayed'] === true || publishing.again || late;
  }
  return {
    specversion: '1.0',
    id: event.id,
    source: `//edgewood/${encodeURIComponent(publishing.site)}/${encodeURIComponent(publishing.hostId)}`,
    type: event.type,
    ...(event.subject !== null && { subject: event.subject }),
    time: new Date(event.timeMs).toISOString(),
    datacontenttype: 'application/json',
    dataschema: `${SCHEMA_BASE}${SCHEMA_FILES[event.type]}`,
    sequence: String(event.sequence.n),
    sequenceepoch: event.sequence.epoch,
    data,
  };
}
