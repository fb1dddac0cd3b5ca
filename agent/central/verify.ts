import type { Model } from '../../core/model.ts';
import type { ReleaseDocument } from '../../core/protocol/trust.ts';
import type { MetricSchema } from '../../core/sample.ts';
import { ArtifactError, artifactSha256, decodeModel, schemaHash } from '../../models/artifact.ts';
import { goldenFault } from '../../models/trust/golden.ts';

/** A release that was signed in order, and that this host doesn't take all the same. */
export class Rejected extends Error {
  override readonly name = 'Rejected';
  readonly code: 'format' | 'agent' | 'schema' | 'golden' | 'memory' | 'worse' | 'failed';

  constructor(code: Rejected['code'], message: string) {
    super(message);
    this.code = code;
  }

  /** Whether it is the release that is bad, whatever host and agent. */
  get quarantines(): boolean {
    return this.code !== 'agent' && this.code !== 'schema' && this.code !== 'failed';
  }
}

/**
 * The model in an artifact, held against what its release says of it and against this host.
 * @throws Rejected
 */
export function verifiedModel(
  bytes: Uint8Array,
  release: ReleaseDocument,
  { schema, agentVersion }: { readonly schema: MetricSchema; readonly agentVersion: string },
): Model {
  const { artifact, minimumAgent } = release;
  if (!isAtLeast(agentVersion, minimumAgent)) {
    throw new Rejected('agent', `it needs edgewood ${minimumAgent}, this is ${agentVersion}`);
  }
  const found = artifactSha256(bytes);
  if (bytes.length !== artifact.bytes || found !== artifact.sha256) {
    throw new Rejected('format', `the artifact has the digest ${found}, the release says ${artifact.sha256}`);
  }
  let model: Model;
  try {
    model = decodeModel(bytes);
  } catch (error) {
    if (error instanceof ArtifactError) throw new Rejected('format', error.message);
    throw error;
  }
  const own = schemaHash(model.schema);
  if (own !== release.schemaHash) {
    throw new Rejected('format', `the artifact's schema is ${own}, the release says ${release.schemaHash}`);
  }
  const stray = model.schema.find(
    ({ name, unit }) => !schema.some((metric) => metric.name === name && metric.unit === unit),
  );
  if (stray !== undefined) {
    throw new Rejected(
      'schema',
      `it watches ${stray.name} (${stray.unit}), which this host does not measure`,
    );
  }
  const fault = goldenFault(model, release.golden);
  if (fault !== null) throw new Rejected('golden', fault);
  return model;
}

/** Semantic versions without their suffixes. */
function isAtLeast(version: string, least: string): boolean {
  const parts = (text: string): number[] => text.split(/[.+-]/, 3).map(Number);
  const [have, need] = [parts(version), parts(least)];
  for (let i = 0; i < 3; i++) {
    const difference = (have[i] ?? 0) - (need[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
