import type { Message } from '../../hub/broker.ts';

/** What agents send, for the tests of the hub. */

export const SITE = 'lab';
export const START_MS = Date.parse('2026-01-05T12:00:00Z');

const encoder = new TextEncoder();

export interface EventWords {
  readonly type?: string;
  readonly severity?: string;
  readonly data?: object;
  readonly subject?: string;
  readonly timeMs?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** An event as an agent publishes it. */
export function eventMessage(hostId: string, epoch: string, n: number, words: EventWords = {}): Message {
  const {
    type = 'edgewood.agent.started',
    severity,
    data = {},
    subject,
    timeMs = START_MS,
    labels = {},
  } = words;
  const host = { id: hostId, name: `name of ${hostId}`, labels };
  const event = {
    specversion: '1.0',
    id: `${epoch}-${n}`,
    source: `//edgewood/${SITE}/${hostId}`,
    type,
    ...(subject !== undefined && { subject }),
    time: new Date(timeMs).toISOString(),
    datacontenttype: 'application/json',
    dataschema: 'urn:edgewood:schema:1:lifecycle',
    sequence: String(n),
    sequenceepoch: epoch,
    data: { schemaVersion: 1, sequence: { epoch, n }, host, ...data },
  };
  const topic = `edgewood/1/${SITE}/a/${hostId}/${severity === undefined ? 'event' : `alert/${severity}`}`;
  return { topic, payload: encoder.encode(JSON.stringify(event)), retained: false };
}

export function incidentMessage(
  hostId: string,
  n: number,
  words: {
    feature: string;
    state?: string;
    labels?: Record<string, string>;
    trigger?: string;
    timeMs: number;
  },
): Message {
  const { feature, state = 'opened', labels = {}, trigger = 'surprise', timeMs } = words;
  return eventMessage(hostId, 'e1', n, {
    type: 'edgewood.incident',
    severity: 'warning',
    subject: `incident-${hostId}`,
    labels,
    timeMs,
    data: {
      state,
      trigger,
      openedAt: new Date(timeMs).toISOString(),
      explanation: { top: [{ feature, contribution: 1, share: 1 }], sentence: 'x' },
    },
  });
}

export function documentMessage(
  hostId: string,
  kind: 'status' | 'telemetry' | 'reported',
  document: object,
): Message {
  return {
    topic: `edgewood/1/${SITE}/a/${hostId}/${kind}`,
    payload: encoder.encode(JSON.stringify({ schemaVersion: 1, hostId, site: SITE, ...document })),
    retained: false,
  };
}

export const telemetry = (hostId: string, bootId = 'b1'): Message =>
  documentMessage(hostId, 'telemetry', { bootId, samples: [], health: { state: 'watching' } });

export const birth = (hostId: string, bootId: string, atMs: number): Message =>
  documentMessage(hostId, 'status', {
    online: true,
    bootId,
    agentVersion: '0.1.0',
    schemaHash: '',
    at: new Date(atMs).toISOString(),
  });

export const will = (hostId: string, bootId: string): Message =>
  documentMessage(hostId, 'status', { online: false, bootId, agentVersion: '0.1.0', schemaHash: '' });

export const goodbye = (hostId: string, bootId: string, atMs: number): Message =>
  documentMessage(hostId, 'status', {
    online: false,
    bootId,
    agentVersion: '0.1.0',
    schemaHash: '',
    at: new Date(atMs).toISOString(),
  });
