import { EVENT_TYPES } from '../core/protocol/events.ts';
import { type ReleaseData, releaseSentence } from '../core/protocol/release-event.ts';
import type { LoadedModel } from '../models/slots.ts';
import type { AgentConfig } from './config/config.ts';
import type { Identity } from './identity.ts';
import type { ActiveMaintenance } from './maintenance.ts';
import type { NewEvent } from './store/store.ts';

/** Events about the agent itself; an incident's come from core/alert.ts. */

export interface AgentFacts {
  readonly config: Pick<AgentConfig, 'hostName' | 'labels'>;
  readonly version: string;
  readonly hostId: string;
  readonly bootId: string;
  readonly sourceKind: string;
}

export interface ModelSummary {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  readonly rows: number;
  readonly trainedFrom: string;
  readonly trainedTo: string;
  readonly provisional: boolean;
}

export function modelSummary({ model, sha256 }: LoadedModel): ModelSummary {
  const { provenance, thresholds } = model;
  return {
    name: provenance.name,
    version: provenance.version,
    sha256,
    rows: provenance.rows,
    trainedFrom: new Date(provenance.trainedFromMs).toISOString(),
    trainedTo: new Date(provenance.trainedToMs).toISOString(),
    provisional: thresholds.surprise.provisional || thresholds.forest.provisional,
  };
}

export function lifecycleEvent(
  what: 'started' | 'stopped',
  facts: AgentFacts,
  epochReason: string,
  loaded: LoadedModel | null,
  timeMs: number,
): NewEvent {
  const { bootId, version, hostId, config, sourceKind } = facts;
  return {
    type: EVENT_TYPES[what],
    severity: null,
    timeMs,
    subject: null,
    data: (sequence) =>
      JSON.stringify({
        schemaVersion: 1,
        sequence,
        bootId,
        agentVersion: version,
        host: { id: hostId, name: config.hostName, labels: config.labels },
        source: sourceKind,
        epochReason,
        model: loaded === null ? null : modelSummary(loaded),
      }),
  };
}

/** The history is gone, or is another's: people have to know, and a new epoch has begun. */
export function storeReplacedEvent(
  facts: AgentFacts,
  reason: string,
  findings: readonly string[],
  timeMs: number,
): NewEvent {
  const { hostId, config } = facts;
  const host = { id: hostId, name: config.hostName, labels: config.labels };
  return {
    type: EVENT_TYPES.storeReplaced,
    severity: 'warning',
    timeMs,
    subject: null,
    data: (sequence) => JSON.stringify({ schemaVersion: 1, sequence, host, reason, findings }),
  };
}

/** Receivers keep both ids apart, and what the former one has retained is emptied by `edgewood decommission`. */
export function identityChangedEvent(
  facts: AgentFacts,
  { change, record, before }: Identity,
  timeMs: number,
): NewEvent | null {
  if (change === null || before === null) return null;
  const { hostId, config } = facts;
  const host = { id: hostId, name: config.hostName, labels: config.labels };
  const { site } = record;
  return {
    type: EVENT_TYPES.identityChanged,
    severity: change === 'cloned' ? 'warning' : null,
    timeMs,
    subject: null,
    data: (sequence) =>
      JSON.stringify({
        schemaVersion: 1,
        sequence,
        host,
        reason: change,
        site,
        before: { hostId: before.hostId, site: before.site },
      }),
  };
}

/** Nobody is to be alarmed from here on, or again. */
export function maintenanceEvent(
  facts: AgentFacts,
  state: 'began' | 'ended',
  { kind, name, fromMs, untilMs, training }: ActiveMaintenance,
  timeMs: number,
): NewEvent {
  const { hostId, config } = facts;
  const host = { id: hostId, name: config.hostName, labels: config.labels };
  const iso = (ms: number): string => new Date(ms).toISOString();
  const about = { state, kind, name, from: iso(fromMs), until: iso(untilMs), training };
  return {
    type: EVENT_TYPES.maintenance,
    severity: null,
    timeMs,
    subject: null,
    data: (sequence) => JSON.stringify({ schemaVersion: 1, sequence, host, ...about }),
  };
}

/** Events that never got a number, for want of disk: no gap tells of them. */
export function neverStoredEvent(count: number, timeMs: number): NewEvent {
  return {
    type: EVENT_TYPES.dropped,
    severity: null,
    timeMs,
    subject: null,
    data: (sequence) =>
      JSON.stringify({
        schemaVersion: 1,
        sequence,
        sink: '*',
        epoch: sequence.epoch,
        reason: 'never-stored',
        ranges: [],
        count,
      }),
  };
}

export function modelActivatedEvent(loaded: LoadedModel, timeMs: number): NewEvent {
  return {
    type: EVENT_TYPES.modelActivated,
    severity: null,
    timeMs,
    subject: null,
    data: (sequence) =>
      JSON.stringify({ schemaVersion: 1, sequence, slot: loaded.slot, model: modelSummary(loaded) }),
  };
}

export function releaseEvent(
  facts: AgentFacts,
  about: Omit<ReleaseData, 'schemaVersion' | 'sequence' | 'host' | 'sentence'>,
  timeMs: number,
): NewEvent {
  const { hostId, config } = facts;
  const host = { id: hostId, name: config.hostName, labels: config.labels };
  const { model, state, release, error } = about;
  const sentence = releaseSentence(model, state, release, error);
  return {
    type: EVENT_TYPES.release,
    severity: null,
    timeMs,
    subject: null,
    data: (sequence) =>
      JSON.stringify({ schemaVersion: 1, sequence, host, ...about, sentence } satisfies ReleaseData),
  };
}
