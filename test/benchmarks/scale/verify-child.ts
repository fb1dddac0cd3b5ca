/** How long an agent takes to verify a document; started with the flags of an agent. Prints one JSON document. */
import { runToEnd } from '../../../core/features.ts';
import { TRAINING_DEFAULTS, trainModel } from '../../../core/train.ts';
import { Trust } from '../../../models/trust/trust.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from '../../support/series.ts';
import { referenceTo, signed, TestFleet } from '../../support/signed.ts';

const DOCUMENTS = 200;

const model = runToEnd(trainModel(SMALL_SCHEMA, smallSeries(600, 1), PROVENANCE, TRAINING_DEFAULTS));
const fleet = new TestFleet(Date.now());
const release = fleet.release(model, 1);
const rollouts = Array.from({ length: DOCUMENTS }, (_, i) =>
  signed(fleet.rollout(i + 1, release), fleet.operatorKey),
);
const took = (work: () => void): number => {
  const from = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1000;
};
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

const trust = new Trust(fleet.root, fleet.pin);
const ofRollouts = rollouts.map((bytes) => took(() => void trust.acceptRollout(bytes, 'host', Date.now())));
const ofReleases = Array.from({ length: DOCUMENTS }, () => {
  const fresh = new Trust(fleet.root, fleet.pin);
  return took(() => void fresh.acceptRelease(release.envelope, 'host', referenceTo(release), Date.now()));
});
console.log(
  JSON.stringify({
    rolloutBytes: rollouts[0]?.length,
    releaseBytes: release.envelope.length,
    // The first one pays for code that was never run.
    rolloutFirstMs: ofRollouts[0],
    rolloutMedianMs: median(ofRollouts),
    releaseFirstMs: ofReleases[0],
    releaseMedianMs: median(ofReleases),
    chunkBytes: release.artifact.length,
  }),
);
