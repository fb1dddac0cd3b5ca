import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import {
  COMMANDS,
  type CommandDocument,
  type DocumentByType,
  type ReleaseDocument,
  type ReleaseReference,
  type RolloutDocument,
  type RootDocument,
  type TrustType,
} from '../../core/protocol/trust.ts';
import { changedRoot, type Grant, noRoot, type RootChange } from '../../models/trust/draft.ts';
import {
  addSignature,
  type Envelope,
  envelopeText,
  openEnvelope,
  seal,
} from '../../models/trust/envelope.ts';
import { Trust } from '../../models/trust/trust.ts';

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The key of a seed (RFC 8032, 32 bytes). */
export const keyOfSeed = (seed: Buffer): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });

/** The same key for the same name, always. */
export const keyOf = (name: string): KeyObject => keyOfSeed(createHash('sha256').update(name).digest());

export const publicOf = (name: string): KeyObject => createPublicKey(keyOf(name));

export const DAY_MS = 86_400_000;
export const NOW_MS = Date.UTC(2026, 0, 10);
export const iso = (days: number): string => new Date(NOW_MS + days * DAY_MS).toISOString();

const grant = (name: string, ...roles: Grant['roles'][number][]): Grant => ({
  name,
  key: publicOf(name),
  roles,
});

const FIRST: RootChange = {
  grants: [
    grant('root-a', 'root'),
    grant('root-b', 'root'),
    grant('root-c', 'root'),
    grant('release-a', 'release'),
    grant('release-b', 'release'),
    grant('release-c', 'release'),
    grant('rollout-a', 'rollout'),
    grant('rollout-b', 'rollout'),
    grant('renewal-a', 'renewal'),
    grant('command-a', ...COMMANDS),
  ],
  remove: [],
  thresholds: { root: 2, release: 2, rollout: 2 },
  revoke: [],
  issuedMs: NOW_MS - 10 * DAY_MS,
  lifeMs: 365 * DAY_MS,
};

/** Root 1: 2 of 3 sign roots, 2 of 3 releases, 2 of 2 rollouts, 1 renewals, 1 commands. */
export const firstRoot = (changes: Partial<RootChange> = {}): RootDocument =>
  changedRoot(noRoot('acme'), { ...FIRST, ...changes });

export const nextRootDocument = (before: RootDocument, changes: Partial<RootChange> = {}): RootDocument =>
  changedRoot(before, {
    grants: [],
    remove: [],
    thresholds: {},
    revoke: [],
    issuedMs: NOW_MS,
    lifeMs: 365 * DAY_MS,
    ...changes,
  });

export { grant };

/** An envelope with the signatures of these keys. */
export const signed = <T extends TrustType>(document: DocumentByType[T], ...names: string[]): Envelope =>
  names.reduce((envelope, name) => addSignature(envelope, keyOf(name)), seal(document));

export const bytesOf = (envelope: Envelope): Buffer => Buffer.from(envelopeText(envelope));

/** Signed whatever it says: a key can put its name to anything. */
export function sealedText(payload: string | Buffer, payloadType: string, ...names: string[]): Buffer {
  const start: Envelope = { payloadType, payload: Buffer.from(payload).toString('base64'), signatures: [] };
  return bytesOf(names.reduce((envelope, name) => addSignature(envelope, keyOf(name)), start));
}

export const digestOf = (bytes: Uint8Array): string => openEnvelope(bytes).sha256;

export const ARTIFACT = 'ab'.repeat(32);

export const releaseDocumentOf = (changes: Partial<ReleaseDocument> = {}): ReleaseDocument => ({
  type: 'release',
  schemaVersion: 1,
  fleet: 'acme',
  issuedAt: iso(-1),
  expiresAt: iso(179),
  model: 'web',
  version: 3,
  artifact: {
    sha256: ARTIFACT,
    bytes: 70_000,
    format: 3,
    chunkBytes: 65_536,
    chunks: ['cd'.repeat(32), 'ef'.repeat(32)],
  },
  minimumAgent: '0.1.0',
  metrics: ['cpu', 'memory'],
  schemaHash: '0123456789abcdef',
  intervalMs: 5000,
  golden: [
    { values: [1, null], score: 0.5 },
    { values: [null, 2.25], score: null },
  ],
  limits: { scoreMs: 2, memoryBytes: 67_108_864, flagShare: 0.05 },
  provenance: {
    trainedFrom: iso(-9),
    trainedTo: iso(-2),
    rows: 1000,
    seed: 7,
    dataSha256: 'cd'.repeat(32),
    toolVersion: '0.1.0',
  },
  ...changes,
});

export const referenceTo = (bytes: Uint8Array, version = 3, artifactSha256 = ARTIFACT): ReleaseReference => ({
  version,
  sha256: digestOf(bytes),
  artifactSha256,
});

export const rolloutDocumentOf = (changes: Partial<RolloutDocument> = {}): RolloutDocument => ({
  type: 'rollout',
  schemaVersion: 1,
  fleet: 'acme',
  issuedAt: iso(-0.5),
  expiresAt: iso(6.5),
  model: 'web',
  version: 5,
  release: { version: 3, sha256: 'aa'.repeat(32), artifactSha256: ARTIFACT },
  baseline: null,
  select: { sites: null, labels: { role: 'web' }, ids: null },
  cohort: { seed: 'web-5', fraction: 0.1 },
  state: 'active',
  mode: 'apply',
  jitterMs: 60_000,
  gate: { shadowRows: 1000, probationMs: 600_000, watchdogMs: 3_600_000, timeoutMs: 86_400_000 },
  renews: null,
  ...changes,
});

export const commandDocumentOf = (changes: Partial<CommandDocument> = {}): CommandDocument => ({
  type: 'command',
  schemaVersion: 1,
  fleet: 'acme',
  issuedAt: iso(0),
  expiresAt: iso(1 / 24),
  site: 'lab',
  hostId: 'host-1',
  commandId: 'c-1',
  name: 'snooze',
  arguments: { minutes: 5 },
  ...changes,
});

export const rollout = (changes: Partial<RolloutDocument> = {}, ...names: string[]): Buffer =>
  bytesOf(signed(rolloutDocumentOf(changes), ...(names.length === 0 ? ['rollout-a', 'rollout-b'] : names)));
/** What two rollout keys have signed, again by a renewal key. */
export function renewal(changes: Partial<RolloutDocument> = {}): Buffer {
  const { version, issuedAt, expiresAt } = rolloutDocumentOf();
  const { signatures } = signed(rolloutDocumentOf(), 'rollout-a', 'rollout-b');
  return rollout({ renews: { version, issuedAt, expiresAt, signatures }, ...changes }, 'renewal-a');
}
export const release = (changes: Partial<ReleaseDocument> = {}, ...names: string[]): Buffer =>
  bytesOf(signed(releaseDocumentOf(changes), ...(names.length === 0 ? ['release-a', 'release-b'] : names)));
export const commandOf = (changes: Partial<CommandDocument> = {}, ...names: string[]): Buffer =>
  bytesOf(signed(commandDocumentOf(changes), ...(names.length === 0 ? ['command-a'] : names)));

/** A host that trusts root 1. */
export function trusting(document = firstRoot()): Trust {
  const bytes = bytesOf(signed(document, 'root-a', 'root-b'));
  return new Trust(bytes, digestOf(bytes));
}
