import { HUB_EVENT_TYPES, type HubAlert, type HubEventType } from './hub-alerts.ts';
import { SCHEMA_BASE } from './schemas.ts';

const SCHEMA_FILES: Readonly<Record<HubEventType, string>> = {
  [HUB_EVENT_TYPES.hostSilent]: 'host-silent',
  [HUB_EVENT_TYPES.fleetIncident]: 'fleet-incident',
};

/** The envelope; the same at every redelivery. */
export function hubCloudEvent({ sequence, type, site, severity, timeMs, subject, data }: HubAlert) {
  return {
    specversion: '1.0',
    id: `${sequence.epoch}-${sequence.n}`,
    source: `//edgewood/${encodeURIComponent(site)}/hub`,
    type,
    subject,
    time: new Date(timeMs).toISOString(),
    datacontenttype: 'application/json',
    dataschema: `${SCHEMA_BASE}${SCHEMA_FILES[type]}`,
    sequence: String(sequence.n),
    sequenceepoch: sequence.epoch,
    severity,
    data,
  } as const;
}
