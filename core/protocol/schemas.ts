import { DRIFT_DIRECTIONS, DRIFT_EVENT_STATES, DRIFT_KINDS } from './drift.ts';
import { EVENT_TYPES, type EventType, SEVERITIES } from './events.ts';
import { HUB_SCHEMAS } from './hub-schemas.ts';
import { RETRAINING_DECISIONS, RETRAINING_REASONS } from './retraining.ts';
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
  sha256,
  text,
  time,
} from './schema-builders.ts';
import { TRUST_SCHEMAS } from './trust-schemas.ts';
import { OPERATOR_WORDS, VERDICTS } from './verdict.ts';

/** JSON Schemas (draft 2020-12) of everything that is published; `docs/schemas/` is written from these. */
export const SCHEMA_BASE = 'urn:edgewood:schema:1:';

const sequence = record({ epoch: id, n: { type: 'integer', minimum: 1 } });
const host = record({ id, name: text, labels: { type: 'object', additionalProperties: text } });
const rates = record({ infoPerDay: number, warningPerDay: number, criticalPerDay: number });
const processUse = record(
  { pid: count, name: text, cpuPercent: orNull(number), memoryBytes: orNull(number) },
  ['cpuPercent', 'memoryBytes'],
);

const feature = record({
  name: text,
  unit: text,
  value: orNull(number),
  expectedMedian: orNull(number),
  expectedLow: orNull(number),
  expectedHigh: orNull(number),
  robustDeviation: orNull(number),
  direction: choice('high', 'low', 'normal', 'missing'),
  contribution: number,
  inputs: list(orNull(number)),
});

const explanation = record({
  method: text,
  baseValue: number,
  explained: number,
  top: list(
    record({ feature: text, contribution: number, share: { type: 'number', minimum: 0, maximum: 1 } }),
  ),
  sentence: text,
});

const alert = record({
  schemaVersion: choice(1),
  incidentId: id,
  sequence,
  host,
  agentVersion: text,
  state: choice('opened', 'updated', 'resolved', 'invalidated'),
  openedAt: time,
  resolvedAt: orNull(time),
  durationMs: { type: 'number', minimum: 0 },
  sampleCount: count,
  suppressedCount: count,
  provisional: flag,
  sampledAt: time,
  publishedAt: orNull(time),
  replayed: flag,
  score: orNull(number),
  percentile: orNull({ type: 'number', minimum: 0, maximum: 100 }),
  triggerValue: number,
  threshold: number,
  clearThreshold: number,
  thresholds: record({ info: number, warning: number, critical: number }),
  severity: choice(...SEVERITIES),
  trigger: choice('surprise', 'forest', 'score', 'constant', 'range', 'stuck'),
  budget: rates,
  features: list(feature),
  explanation,
  processes: orNull(record({ byCpu: list(processUse), byMemory: list(processUse) })),
  context: record({
    lastScores: list(orNull(number)),
    driftSeverity: orNull(number),
    warmingUp: flag,
    maintenance: flag,
  }),
  model: record({
    name: text,
    version: text,
    sha256,
    alias: orNull(text),
    trainedFrom: time,
    trainedTo: time,
  }),
});

const modelSummary = record({
  name: text,
  version: text,
  sha256,
  rows: count,
  trainedFrom: time,
  trainedTo: time,
  provisional: flag,
});

const lifecycle = record({
  schemaVersion: choice(1),
  sequence,
  bootId: id,
  agentVersion: text,
  host,
  source: text,
  epochReason: text,
  model: orNull(modelSummary),
});

const modelActivated = record({ schemaVersion: choice(1), sequence, slot: text, model: modelSummary });

const dropped = record({
  schemaVersion: choice(1),
  sequence,
  sink: id,
  epoch: id,
  reason: text,
  ranges: list({ type: 'array', items: count, minItems: 2, maxItems: 2 }),
  count,
});

const storeReplaced = record({
  schemaVersion: choice(1),
  sequence,
  host,
  reason: choice('quarantined', 'lost', 'restored'),
  findings: list(text),
});

const identityChanged = record({
  schemaVersion: choice(1),
  sequence,
  host,
  reason: choice('renamed', 'cloned'),
  site: text,
  before: record({ hostId: text, site: text }),
});

const maintenance = record({
  schemaVersion: choice(1),
  sequence,
  host,
  state: choice('began', 'ended'),
  kind: choice('window', 'snooze'),
  name: text,
  from: time,
  until: time,
  training: choice('exclude', 'include'),
});

const driftStream = record({
  name: text,
  label: text,
  unit: text,
  d: orNull(number),
  threshold: orNull(number),
  over: flag,
  direction: choice(...DRIFT_DIRECTIONS),
  shift: orNull(number),
  shiftThreshold: orNull(number),
  effect: orNull(number),
  unjudged: orNull(text),
});

const drift = record({
  schemaVersion: choice(1),
  sequence,
  host,
  state: choice(...DRIFT_EVENT_STATES),
  kinds: list(choice(...DRIFT_KINDS)),
  severity: { type: 'integer', minimum: 1, maximum: 10 },
  decidedAt: time,
  since: orNull(time),
  windowMs: count,
  provisional: flag,
  streams: list(driftStream),
  faults: list(record({ fault: choice('stuck', 'missing', 'clock'), metric: orNull(text) })),
  modelSha256: sha256,
  sentence: text,
});

const shadowSide = record({ flagged: count, alarms: count });

const retraining = record({
  schemaVersion: choice(1),
  sequence,
  host,
  decision: choice(...RETRAINING_DECISIONS),
  reason: choice(...RETRAINING_REASONS),
  why: text,
  driftSeverity: orNull(number),
  comparison: orNull(
    record({
      rows: count,
      candidate: shadowSide,
      current: shadowSide,
      notFinite: count,
      flat: flag,
      allowedAlarms: count,
    }),
  ),
  offer: orNull(record({ samples: count, from: time, to: time })),
  modelSha256: orNull(sha256),
  sentence: text,
});

const verdict = record(
  {
    schemaVersion: choice(1),
    sequence,
    host,
    incidentId: orNull(id),
    verdict: choice(...OPERATOR_WORDS),
    before: orNull(choice(...VERDICTS, 'missed')),
    note: text,
    openedAt: time,
    until: time,
    modelSha256: orNull(sha256),
  },
  ['until'],
);

const ack = record({
  schemaVersion: choice(1),
  epoch: id,
  ranges: list({ type: 'array', items: count, minItems: 2, maxItems: 2 }),
});

/** The envelope around every `data` above. */
const event = record(
  { ...cloudEvent('^//edgewood/[^/]+/[^/]+$', Object.values(EVENT_TYPES)), data: { type: 'object' } },
  ['subject'],
);

const status = record(
  {
    schemaVersion: choice(1),
    online: flag,
    hostId: id,
    bootId: id,
    agentVersion: text,
    schemaHash: text,
    at: time,
  },
  ['at'],
);

const quantiles = record({ p50: orNull(number), p95: orNull(number), p99: orNull(number) });

const share: JsonSchema = { type: 'number', minimum: 0, maximum: 1 };
const weekOfVerdicts = record({
  fromMs: { type: 'integer' },
  judged: count,
  trueAlerts: count,
  falseAlerts: count,
  benignAlerts: count,
  missed: count,
  precision: orNull(share),
  recall: orNull(share),
  f1: orNull(share),
});

const telemetry = record(
  {
    schemaVersion: choice(1),
    hostId: id,
    bootId: id,
    samples: list(
      record({ t: { type: 'number', minimum: 0 }, score: orNull(number), surprise: orNull(number) }),
    ),
    health: record({
      state: choice('warming-up', 'watching', 'incident', 'maintenance'),
      samples: count,
      gaps: count,
      notStored: count,
      databaseBytes: count,
      pending: count,
      memoryBytes: count,
      proportionalBytes: orNull(count),
      dropped: count,
      connects: count,
      incidents: count,
      modelTrainedTo: orNull(count),
      driftSeverity: orNull(number),
      latencyMs: record({
        sample: quantiles,
        score: quantiles,
        store: quantiles,
        delivery: quantiles,
        loopLag: quantiles,
      }),
    }),
    performance: record(
      {
        incidentsPerHour: number,
        verdicts: count,
        precision: orNull(number),
        retrainings: count,
        weeks: list(weekOfVerdicts),
      },
      ['weeks'],
    ),
    drift: record({
      phase: choice('steady', 'suspected', 'drifting'),
      severity: orNull(number),
      streams: list(record({ name: text, d: orNull(number), threshold: orNull(number), over: flag })),
    }),
  },
  ['drift', 'performance'],
);

/** Which file describes the `data` of which event. */
export const SCHEMA_FILES: Readonly<Record<EventType, string>> = {
  [EVENT_TYPES.incident]: 'alert',
  [EVENT_TYPES.started]: 'lifecycle',
  [EVENT_TYPES.stopped]: 'lifecycle',
  [EVENT_TYPES.modelActivated]: 'model-activated',
  [EVENT_TYPES.dropped]: 'events-dropped',
  [EVENT_TYPES.storeReplaced]: 'store-replaced',
  [EVENT_TYPES.identityChanged]: 'identity-changed',
  [EVENT_TYPES.maintenance]: 'maintenance',
  [EVENT_TYPES.drift]: 'drift',
  [EVENT_TYPES.retraining]: 'retraining',
  [EVENT_TYPES.release]: 'release-event',
  [EVENT_TYPES.verdict]: 'verdict',
};

const SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  event,
  alert,
  lifecycle,
  'model-activated': modelActivated,
  'events-dropped': dropped,
  'store-replaced': storeReplaced,
  'identity-changed': identityChanged,
  maintenance,
  drift,
  retraining,
  verdict,
  ack,
  status,
  telemetry,
  ...TRUST_SCHEMAS,
  ...HUB_SCHEMAS,
};

/** What `docs/schemas/` holds: file name without ending, and schema. */
export const PUBLISHED_SCHEMAS: readonly { readonly name: string; readonly schema: JsonSchema }[] =
  Object.entries(SCHEMAS).map(([name, schema]) => ({
    name,
    schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: `${SCHEMA_BASE}${name}`,
      ...schema,
    },
  }));
