import { INSTALL_STATES } from './install-states.ts';
import {
  choice,
  count,
  flag,
  id,
  type JsonSchema,
  number,
  orNull,
  record,
  sha256,
  text,
  time,
} from './schema-builders.ts';
import {
  COMMANDS,
  MAX_SIGNATURES,
  MAX_THRESHOLD,
  ROLES,
  ROLLOUT_MODES,
  ROLLOUT_STATES,
  type TrustType,
} from './trust.ts';

/** JSON Schemas of the signed documents: agents check with these what the signatures have vouched for. */

const most = (maxItems: number, items: JsonSchema, minItems = 0): JsonSchema => ({
  type: 'array',
  items,
  minItems,
  maxItems,
});
const upTo = (maximum: number, minimum = 0): JsonSchema => ({ type: 'integer', minimum, maximum });
const line = (maxLength: number): JsonSchema => ({
  type: 'string',
  minLength: 1,
  maxLength,
  pattern: '^[^\\p{C}]*$',
});
const level: JsonSchema = { type: 'string', minLength: 1, maxLength: 64, pattern: '^[^/+#\\p{C}]*$' };
const modelName: JsonSchema = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' };
const version: JsonSchema = upTo(999_999_999, 1);
const agentVersion: JsonSchema = { type: 'string', pattern: '^\\d{1,6}\\.\\d{1,6}\\.\\d{1,6}$' };
const fleet: JsonSchema = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' };
const durationMs = (mostDays: number): JsonSchema => upTo(mostDays * 86_400_000);
const share: JsonSchema = { type: 'number', minimum: 0, maximum: 1 };

const MOST_KEYS = 64;
const MOST_GOLDEN = 128;
const MOST_METRICS = 256;
const MOST_LABELS = 32;

const signed = (type: TrustType, properties: Readonly<Record<string, JsonSchema>>): JsonSchema =>
  record({
    type: choice(type),
    schemaVersion: choice(1),
    fleet,
    issuedAt: time,
    expiresAt: time,
    ...properties,
  });

const role = record({ threshold: upTo(MAX_THRESHOLD, 1), keys: most(MOST_KEYS, sha256) });
const labels: JsonSchema = {
  type: 'object',
  additionalProperties: line(256),
  propertyNames: line(64),
  maxProperties: MOST_LABELS,
};

const root = signed('root', {
  version,
  keys: {
    type: 'object',
    propertyNames: sha256,
    additionalProperties: record({
      name: line(64),
      ed25519: { type: 'string', pattern: '^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$' },
    }),
    maxProperties: MOST_KEYS,
  },
  roles: record(Object.fromEntries(ROLES.map((name) => [name, role]))),
  revoked: most(512, sha256),
});

const release = signed('release', {
  model: modelName,
  version,
  artifact: record({
    sha256,
    bytes: upTo(16 * 1024 * 1024, 1),
    format: upTo(1000, 1),
    chunkBytes: choice(64 * 1024),
    chunks: most(256, sha256, 1),
  }),
  minimumAgent: agentVersion,
  metrics: most(MOST_METRICS, line(64), 1),
  schemaHash: { type: 'string', pattern: '^[0-9a-f]{16}$' },
  intervalMs: upTo(3_600_000, 1),
  golden: most(
    MOST_GOLDEN,
    record({
      values: most(MOST_METRICS, orNull(number), 1),
      score: orNull(number),
    }),
    1,
  ),
  limits: record({
    scoreMs: { type: 'number', minimum: 0, maximum: 10_000 },
    memoryBytes: upTo(1024 * 1024 * 1024),
    flagShare: share,
  }),
  provenance: record({
    trainedFrom: time,
    trainedTo: time,
    rows: count,
    seed: number,
    dataSha256: { type: 'string', pattern: '^[0-9a-f]{0,64}$' },
    toolVersion: line(64),
  }),
});

const releaseReference = record({ version, sha256, artifactSha256: sha256 });

/** Base64 of 64 bytes, in one spelling: no bits are left over at its end. */
const signature: JsonSchema = { type: 'string', pattern: '^[A-Za-z0-9+/]{85}[AQgw]==$' };
const signatures = most(MAX_SIGNATURES, record({ keyid: sha256, sig: signature }));

const rollout = signed('rollout', {
  model: modelName,
  version,
  release: releaseReference,
  baseline: orNull(releaseReference),
  select: record({
    sites: orNull(most(256, level, 1)),
    labels,
    ids: orNull(most(1000, level, 1)),
  }),
  cohort: record({ seed: line(64), fraction: share }),
  state: choice(...ROLLOUT_STATES),
  mode: choice(...ROLLOUT_MODES),
  jitterMs: durationMs(7),
  gate: record({
    shadowRows: upTo(1_000_000),
    probationMs: durationMs(30),
    watchdogMs: durationMs(30),
    timeoutMs: durationMs(60),
  }),
  renews: orNull(record({ version, issuedAt: time, expiresAt: time, signatures })),
});

const command = signed('command', {
  site: level,
  hostId: level,
  commandId: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' },
  name: choice(...COMMANDS),
  arguments: { type: 'object', additionalProperties: true, maxProperties: 16 },
});

export const DOCUMENT_SCHEMAS: Readonly<Record<TrustType, JsonSchema>> = { root, release, rollout, command };

/** DSSE (https://github.com/secure-systems-lab/dsse), `envelope.md`. */
export const ENVELOPE: JsonSchema = record({
  payloadType: line(128),
  payload: { type: 'string', minLength: 1, pattern: '^[A-Za-z0-9+/]*={0,2}$' },
  signatures,
});

const digestOrNull = orNull(sha256);
const side = record({ flagged: count, alarms: count });

const figures: JsonSchema = record({
  rows: count,
  candidate: side,
  current: orNull(side),
  notFinite: count,
  flat: flag,
  disagreements: count,
  allowedAlarms: count,
  scoreMsP50: orNull(number),
  scoreMsP95: orNull(number),
});

const reported = record({
  schemaVersion: choice(1),
  hostId: id,
  site: id,
  bootId: id,
  at: time,
  agentVersion: text,
  labels,
  root: orNull(version),
  rollout: orNull(record({ model: modelName, version, sha256 })),
  desired: orNull(record({ version, artifactSha256: sha256 })),
  state: choice(...INSTALL_STATES),
  release: orNull(record({ version, artifactSha256: sha256 })),
  running: orNull(
    record({ sha256, name: text, version: text, slot: choice('central', 'current', 'previous') }),
  ),
  slots: record({
    current: digestOrNull,
    previous: digestOrNull,
    central: digestOrNull,
    centralPrevious: digestOrNull,
  }),
  figures: orNull(figures),
  alarms: orNull(record({ since: time, opened: count })),
  error: orNull(record({ code: text, message: text })),
  refused: { type: 'object', additionalProperties: count, maxProperties: 64 },
});

const releaseEvent = record({
  schemaVersion: choice(1),
  sequence: record({ epoch: id, n: upTo(Number.MAX_SAFE_INTEGER, 1) }),
  host: record({ id, name: text, labels }),
  model: modelName,
  state: choice('committed', 'rejected', 'rolled_back', 'timed_out'),
  release: orNull(record({ version, artifactSha256: sha256 })),
  figures: orNull(figures),
  error: orNull(record({ code: text, message: text })),
  modelSha256: orNull(sha256),
  sentence: text,
});

export const TRUST_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  envelope: ENVELOPE,
  root,
  release,
  rollout,
  command,
  reported,
  'release-event': releaseEvent,
};
