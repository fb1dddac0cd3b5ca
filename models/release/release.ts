import { createHash } from 'node:crypto';
import type { Model } from '../../core/model.ts';
import { CHUNK_BYTES, type ReleaseDocument, type ReleaseLimits } from '../../core/protocol/trust.ts';
import { ArtifactError, artifactFormat, artifactSha256, decodeModel, schemaHash } from '../artifact.ts';
import { goldenFault } from '../trust/golden.ts';
import { type Refusal, TrustError } from '../trust/trust-error.ts';
import { goldenRows } from './golden-rows.ts';

export interface ReleaseRequest {
  readonly fleet: string;
  readonly model: string;
  readonly version: number;
  readonly issuedMs: number;
  readonly lifeMs: number;
  readonly minimumAgent: string;
  readonly limits: ReleaseLimits;
}

/** The artifact's bytes in the pieces in which it travels. */
export function chunksOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / CHUNK_BYTES) }, (_, i) =>
    bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
  );
}

/** @param bytes the artifact, @param model what it holds */
export function releaseDocument(bytes: Uint8Array, model: Model, request: ReleaseRequest): ReleaseDocument {
  const { provenance, schema } = model;
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    type: 'release',
    schemaVersion: 1,
    fleet: request.fleet,
    issuedAt: iso(request.issuedMs),
    expiresAt: iso(request.issuedMs + request.lifeMs),
    model: request.model,
    version: request.version,
    artifact: {
      sha256: artifactSha256(bytes),
      bytes: bytes.length,
      format: artifactFormat(bytes),
      chunkBytes: CHUNK_BYTES,
      chunks: chunksOf(bytes).map(artifactSha256),
    },
    minimumAgent: request.minimumAgent,
    metrics: schema.map(({ name }) => name),
    schemaHash: schemaHash(schema),
    intervalMs: provenance.intervalMs,
    golden: goldenRows(model),
    limits: request.limits,
    provenance: {
      trainedFrom: iso(provenance.trainedFromMs),
      trainedTo: iso(provenance.trainedToMs),
      rows: provenance.rows,
      seed: provenance.seed,
      dataSha256: provenance.dataSha256,
      toolVersion: provenance.toolVersion,
    },
  };
}

/**
 * The model of a release, once its bytes are what the document says: digest, size, format, schema, and the same score
 * of every golden row to the last bit.
 * @throws TrustError
 */
export function releasedModel(document: ReleaseDocument, bytes: Uint8Array): Model {
  const { artifact } = document;
  const refuse = (refusal: Refusal, why: string): TrustError => new TrustError(refusal, why);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (bytes.length !== artifact.bytes || sha256 !== artifact.sha256) {
    throw refuse(
      'otherChunk',
      `an artifact of ${bytes.length} bytes, ${sha256}; the release says ${artifact.bytes}, ${artifact.sha256}`,
    );
  }
  const other = chunksOf(bytes).findIndex((chunk, i) => artifactSha256(chunk) !== artifact.chunks[i]);
  if (other >= 0) throw refuse('otherChunk', `chunk ${other} is another than the release says`);
  let model: Model;
  try {
    model = decodeModel(bytes);
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    throw refuse('notForThisAgent', `no model that can be used here: ${error.message}`);
  }
  const said: readonly (readonly [string, unknown, unknown])[] = [
    ['name', model.provenance.name, document.model],
    ['version', model.provenance.version, String(document.version)],
    ['format', artifactFormat(bytes), artifact.format],
    ['schema', schemaHash(model.schema), document.schemaHash],
    ['metrics', model.schema.map(({ name }) => name).join(), document.metrics.join()],
    ['interval', model.provenance.intervalMs, document.intervalMs],
  ];
  for (const [what, found, expected] of said) {
    if (found === expected) continue;
    throw refuse('otherModel', `the model's ${what} is ${found}, the release says ${expected}`);
  }
  const fault = goldenFault(model, document.golden);
  if (fault !== null) throw refuse('notForThisAgent', fault);
  return model;
}
