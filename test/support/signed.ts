import { createHash, type KeyObject } from 'node:crypto';
import type { Model } from '../../core/model.ts';
import {
  CHUNK_BYTES,
  type CommandDocument,
  type DocumentByType,
  type ReleaseDocument,
  type ReleaseReference,
  ROLES,
  type RoleName,
  type RolloutDocument,
  type RootDocument,
  type TrustType,
} from '../../core/protocol/trust.ts';
import { artifactSha256, encodeModel, FORMAT_VERSION, schemaHash } from '../../models/artifact.ts';
import { addSignature, envelopeText, seal } from '../../models/trust/envelope.ts';
import { goldenScores } from '../../models/trust/golden.ts';
import {
  generateKey,
  keyIdOf,
  rawPublicKey,
  readPrivateKey,
  readPublicKey,
} from '../../models/trust/keys.ts';

/** A fleet's keys and documents, for tests. */

export const FLEET = 'test-fleet';
const DAY_MS = 86_400_000;

export interface TestKey {
  readonly id: string;
  readonly name: string;
  readonly private: KeyObject;
  readonly raw: string;
}

export function testKey(name: string): TestKey {
  const { privatePem, publicPem } = generateKey(null);
  const publicKey = readPublicKey(publicPem);
  return {
    id: keyIdOf(publicKey),
    name,
    private: readPrivateKey(privatePem, null),
    raw: rawPublicKey(publicKey),
  };
}

export function signed<T extends TrustType>(document: DocumentByType[T], ...keys: TestKey[]): Buffer {
  const envelope = keys.reduce((sealed, key) => addSignature(sealed, key.private), seal(document));
  return Buffer.from(envelopeText(envelope));
}

export const payloadSha256 = (envelope: Uint8Array): string =>
  createHash('sha256')
    .update(
      Buffer.from((JSON.parse(Buffer.from(envelope).toString()) as { payload: string }).payload, 'base64'),
    )
    .digest('hex');

const iso = (ms: number): string => new Date(ms).toISOString();

/** One key for each of root, release and rollout; commands are the operator's, as rollouts are. */
export class TestFleet {
  readonly rootKey = testKey('root');
  readonly releaseKey = testKey('release');
  readonly operatorKey = testKey('operator');
  readonly renewalKey = testKey('renewal');
  nowMs: number;
  readonly rootDocument: RootDocument;
  readonly root: Buffer;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
    this.rootDocument = this.rootOf(1);
    this.root = signed(this.rootDocument, this.rootKey);
  }

  get pin(): string {
    return payloadSha256(this.root);
  }

  #dates(days: number): { issuedAt: string; expiresAt: string } {
    return { issuedAt: iso(this.nowMs), expiresAt: iso(this.nowMs + days * DAY_MS) };
  }

  rootOf(version: number, change: Partial<RootDocument> = {}): RootDocument {
    const keys = [this.rootKey, this.releaseKey, this.operatorKey, this.renewalKey];
    const holder = (name: RoleName): TestKey =>
      name === 'root'
        ? this.rootKey
        : name === 'release'
          ? this.releaseKey
          : name === 'renewal'
            ? this.renewalKey
            : this.operatorKey;
    return {
      type: 'root',
      schemaVersion: 1,
      fleet: FLEET,
      ...this.#dates(365),
      version,
      keys: Object.fromEntries(keys.map(({ id, name, raw }) => [id, { name, ed25519: raw }])),
      roles: Object.fromEntries(
        ROLES.map((name) => [name, { threshold: 1, keys: [holder(name).id] }]),
      ) as unknown as RootDocument['roles'],
      revoked: [],
      ...change,
    };
  }

  release(trained: Model, version: number, change: Partial<ReleaseDocument> = {}): TestRelease {
    const model = {
      ...trained,
      provenance: { ...trained.provenance, name: 'host', version: String(version) },
    };
    const artifact = encodeModel(model);
    const chunks: Buffer[] = [];
    for (let at = 0; at < artifact.length; at += CHUNK_BYTES)
      chunks.push(artifact.subarray(at, at + CHUNK_BYTES));
    const rows = Array.from({ length: 24 }, (_, i) => ({
      values: model.schema.map((_, j) => (i % 7 === 3 && j === 0 ? null : 10 + ((i * 13 + j * 5) % 40))),
    }));
    const scores = goldenScores(model, rows);
    const { provenance, schema } = model;
    const document: ReleaseDocument = {
      type: 'release',
      schemaVersion: 1,
      fleet: FLEET,
      ...this.#dates(180),
      model: 'host',
      version,
      artifact: {
        sha256: artifactSha256(artifact),
        bytes: artifact.length,
        format: FORMAT_VERSION,
        chunkBytes: CHUNK_BYTES,
        chunks: chunks.map((chunk) => createHash('sha256').update(chunk).digest('hex')),
      },
      minimumAgent: '0.1.0',
      metrics: schema.map(({ name }) => name),
      schemaHash: schemaHash(schema),
      intervalMs: provenance.intervalMs,
      golden: rows.map((row, i) => ({ ...row, score: scores[i] ?? null })),
      limits: { scoreMs: 50, memoryBytes: 256 * 1024 * 1024, flagShare: 0.05 },
      provenance: {
        trainedFrom: iso(provenance.trainedFromMs),
        trainedTo: iso(provenance.trainedToMs),
        rows: provenance.rows,
        seed: provenance.seed,
        dataSha256: '00',
        toolVersion: 'test',
      },
      ...change,
    };
    return { document, chunks, artifact, envelope: signed(document, this.releaseKey) };
  }

  rollout(version: number, release: TestRelease, change: Partial<RolloutDocument> = {}): RolloutDocument {
    return {
      type: 'rollout',
      schemaVersion: 1,
      fleet: FLEET,
      ...this.#dates(7),
      model: 'host',
      version,
      release: referenceTo(release),
      baseline: null,
      select: { sites: null, labels: {}, ids: null },
      cohort: { seed: 'seed', fraction: 1 },
      state: 'active',
      mode: 'apply',
      jitterMs: 0,
      gate: { shadowRows: 500, probationMs: 60_000, watchdogMs: 600_000, timeoutMs: 3_600_000 },
      renews: null,
      ...change,
    };
  }

  command(
    name: CommandDocument['name'],
    commandId: string,
    change: Partial<CommandDocument> = {},
  ): CommandDocument {
    return {
      type: 'command',
      schemaVersion: 1,
      fleet: FLEET,
      issuedAt: iso(this.nowMs),
      expiresAt: iso(this.nowMs + 600_000),
      site: 'default',
      hostId: 'host',
      commandId,
      name,
      arguments: {},
      ...change,
    };
  }
}

export interface TestRelease {
  readonly document: ReleaseDocument;
  readonly chunks: readonly Buffer[];
  readonly artifact: Buffer;
  readonly envelope: Buffer;
}

export const referenceTo = ({ document, envelope }: TestRelease): ReleaseReference => ({
  version: document.version,
  sha256: payloadSha256(envelope),
  artifactSha256: document.artifact.sha256,
});
