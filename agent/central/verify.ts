import type { Model } from '../../core/model.ts';
import type { ReleaseDocument } from '../../core/protocol/trust.ts';
import type { MetricSchema } from '../../core/sample.ts';
import { describedModel } from '../../models/release/release.ts';
import { goldenFault } from '../../models/trust/golden.ts';
import { TrustError } from '../../models/trust/trust-error.ts';

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
  const { minimumAgent } = release;
  if (!isAtLeast(agentVersion, minimumAgent)) {
    throw new Rejected('agent', `it needs edgewood ${minimumAgent}, this is ${agentVersion}`);
  }
  let model: Model;
  try {
    model = describedModel(release, bytes);
  } catch (error) {
    if (error instanceof TrustError) throw new Rejected('format', error.message);
    throw error;
  }
  // A unit that training could not tell from the data is no other unit: the host's own history is the test.
  const stray = model.schema.find(
    ({ name, unit }) =>
      !schema.some((metric) => metric.name === name && (unit === 'value' || metric.unit === unit)),
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
