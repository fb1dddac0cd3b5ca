import { createHash } from 'node:crypto';
import { runToEnd } from '../../../core/features.ts';
import type { Model } from '../../../core/model.ts';
import { Random } from '../../../core/random.ts';
import { HOST_METRICS } from '../../../core/sample.ts';
import { trainModel } from '../../../core/train.ts';
import { artifactSha256, decodeModel, encodeModel } from '../../../models/artifact.ts';
import { chunksOf, releaseDocument } from '../../../models/release/release.ts';
import { goldenFault } from '../../../models/trust/golden.ts';
import { Trust } from '../../../models/trust/trust.ts';
import { payloadSha256, signed, type TestFleet, type TestRelease } from '../../support/signed.ts';

/** A day at 5 s of the default metrics: what an agent learns from by default, in the wave and noise of bench:score. */
const ROWS = 17_280;
const INTERVAL_MS = 5000;
const LIMITS = { scoreMs: 10_000, memoryBytes: 1e9, flagShare: 1 };

export function defaultModel(version: number): Model {
  const random = new Random(version);
  const columns = HOST_METRICS.map(() => new Float64Array(ROWS));
  for (let t = 0; t < ROWS; t++) {
    const wave = Math.abs((t % 2880) - 1440) / 1440;
    columns.forEach((column, i) => {
      column[t] = i % 5 === 4 ? 0 : 20 + 30 * wave + 10 * random.float();
    });
  }
  const provenance = {
    ...{ name: 'host', version: String(version), seed: version, rows: ROWS, intervalMs: INTERVAL_MS },
    ...{ trainedFromMs: 0, trainedToMs: ROWS * INTERVAL_MS, dataSha256: '00', toolVersion: '0.1.0' },
  };
  return runToEnd(trainModel(HOST_METRICS, columns, provenance));
}

/** As `edgewood release create` makes it: golden rows, chunks, document. */
export function releaseOf(fleet: TestFleet, artifact: Buffer, version: number): TestRelease {
  const request = {
    ...{ fleet: fleet.rootDocument.fleet, model: 'host', version, issuedMs: fleet.nowMs },
    ...{ lifeMs: 180 * 86_400_000, minimumAgent: '0.1.0', limits: LIMITS },
  };
  const document = releaseDocument(artifact, decodeModel(artifact), request);
  const chunks = chunksOf(artifact).map((chunk) => Buffer.from(chunk));
  return { document, chunks, artifact, envelope: signed(document, fleet.releaseKey) };
}

/** Milliseconds. */
export interface Verification {
  readonly rollout: number;
  readonly release: number;
  readonly chunks: number;
  readonly artifact: number;
  readonly decode: number;
  readonly golden: number;
}

/** Once, as an agent does it with each release: nothing of it is warm but what its start has warmed. */
export function verifyOnce(fleet: TestFleet, release: TestRelease, rollout: Buffer): Verification {
  const trust = new Trust(fleet.root, fleet.pin);
  const wanted = {
    version: release.document.version,
    sha256: payloadSha256(release.envelope),
    artifactSha256: release.document.artifact.sha256,
  };
  const timed = <T>(work: () => T): [number, T] => {
    const before = performance.now();
    const value = work();
    return [performance.now() - before, value];
  };
  const [rolloutMs] = timed(() => trust.acceptRollout(rollout, 'host', fleet.nowMs));
  const [releaseMs] = timed(() => trust.acceptRelease(release.envelope, 'host', wanted, fleet.nowMs));
  const [chunksMs, fits] = timed(() =>
    release.chunks.every(
      (chunk, i) => createHash('sha256').update(chunk).digest('hex') === release.document.artifact.chunks[i],
    ),
  );
  const [artifactMs, digest] = timed(() => artifactSha256(release.artifact));
  const [decodeMs, model] = timed(() => decodeModel(release.artifact));
  const [goldenMs, fault] = timed(() => goldenFault(model, release.document.golden));
  if (!fits || digest !== wanted.artifactSha256 || fault !== null) throw new Error(`not verified: ${fault}`);
  return {
    rollout: rolloutMs,
    release: releaseMs,
    chunks: chunksMs,
    artifact: artifactMs,
    decode: decodeMs,
    golden: goldenMs,
  };
}

export const encoded = (version: number): Buffer => Buffer.from(encodeModel(defaultModel(version)));
