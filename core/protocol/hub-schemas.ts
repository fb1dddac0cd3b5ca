import { SEVERITIES } from './events.ts';
import { HUB_EVENT_TYPES } from './hub-alerts.ts';
import {
  choice,
  cloudEvent,
  count,
  flag,
  id,
  type JsonSchema,
  list,
  number,
  orNull,
  record,
  text,
  time,
} from './schema-builders.ts';

const sequence = record({ epoch: id, n: { type: 'integer', minimum: 1 } });
const host = record({ id, name: text, labels: { type: 'object', additionalProperties: text } });

/** What the hub publishes. */
export const HUB_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  'hub-event': record({
    ...cloudEvent('^//edgewood/[^/]+/hub$', Object.values(HUB_EVENT_TYPES)),
    severity: choice(...SEVERITIES),
    data: { type: 'object' },
  }),
  'host-silent': record({
    schemaVersion: choice(1),
    sequence,
    state: choice('opened', 'resolved'),
    host,
    lastSeenAt: time,
    silentMs: count,
    allowedMs: count,
    disconnected: flag,
    sentence: text,
  }),
  'fleet-incident': record({
    schemaVersion: choice(1),
    sequence,
    incidentId: id,
    state: choice('opened', 'updated', 'resolved'),
    site: id,
    label: orNull(record({ name: text, value: text })),
    cause: {
      anyOf: [
        record({ kind: choice('silent') }),
        record({ kind: choice('incident'), trigger: text, feature: text }),
      ],
    },
    count,
    peak: count,
    groupSize: count,
    share: { ...number, minimum: 0, maximum: 1 },
    hosts: list(host),
    openedAt: time,
    sentence: text,
  }),
};
