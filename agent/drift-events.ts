import {
  type DriftData,
  type DriftEventKind,
  type DriftEventState,
  driftSentence,
} from '../core/protocol/drift.ts';
import { EVENT_TYPES } from '../core/protocol/events.ts';
import type { NamedDecision } from './drift.ts';
import type { AgentFacts } from './events.ts';
import type { NewEvent } from './store/store.ts';

type DecidedState = Exclude<DriftEventState, 'concept'>;

/** What people are told of a decision: nothing of most. */
export function driftStates({ decision, newFaults }: NamedDecision): DecidedState[] {
  const { phase, before, retrain, heldBack } = decision;
  const states: DecidedState[] = [];
  if (newFaults) states.push('sensor');
  if (phase === 'drifting' && before !== 'drifting') states.push('warning');
  if (before === 'drifting' && phase !== 'drifting') states.push('ended');
  if (retrain) states.push('retrain');
  if (heldBack) states.push('heldBack');
  return states;
}

export function driftEvent(
  facts: AgentFacts,
  state: DecidedState,
  { decision, sinceMs, windowMs, streams, faults, modelSha256 }: NamedDecision,
): { readonly event: NewEvent; readonly about: Omit<DriftData, 'sequence'> } {
  const { hostId, config } = facts;
  const kinds: DriftEventKind[] = [...decision.kinds];
  if (faults.length > 0) kinds.push('sensor');
  const told = {
    state,
    kinds,
    severity: decision.severity,
    decidedAt: iso(decision.atMs),
    since: sinceMs === null ? null : iso(sinceMs),
    windowMs,
    provisional: decision.provisional,
    streams: state === 'ended' || state === 'sensor' ? [] : streams,
    faults,
    modelSha256,
  };
  const host = { id: hostId, name: config.hostName, labels: config.labels };
  const sentence = driftSentence(told, sinceMs === null ? null : decision.atMs - sinceMs);
  const about = { schemaVersion: 1 as const, host, ...told, sentence };
  return {
    about,
    event: {
      type: EVENT_TYPES.drift,
      severity: null,
      timeMs: decision.atMs,
      subject: null,
      data: (sequence) => JSON.stringify({ ...about, sequence } satisfies DriftData),
    },
  };
}

/** The model no longer fits, by operators' verdicts or by its alarms. */
export function conceptEvent(
  facts: AgentFacts,
  sentence: string,
  severity: number,
  modelSha256: string,
  atMs: number,
): NewEvent {
  const { hostId, config } = facts;
  const about: Omit<DriftData, 'sequence'> = {
    schemaVersion: 1,
    host: { id: hostId, name: config.hostName, labels: config.labels },
    state: 'concept',
    kinds: ['concept'],
    severity,
    decidedAt: iso(atMs),
    since: null,
    windowMs: CONCEPT_WINDOW_MS,
    provisional: false,
    streams: [],
    faults: [],
    modelSha256,
    sentence,
  };
  return {
    type: EVENT_TYPES.drift,
    severity: null,
    timeMs: atMs,
    subject: null,
    data: (sequence) => JSON.stringify({ ...about, sequence } satisfies DriftData),
  };
}

const CONCEPT_WINDOW_MS = 7 * 86_400_000;
const iso = (ms: number): string => new Date(ms).toISOString();
