import type { InstallFigures, ReleaseSeen, ReportedDocument } from '../../core/protocol/reported.ts';
import type { ReleaseReference, RolloutDocument } from '../../core/protocol/trust.ts';
import type { LoadedModel, ModelSlots } from '../../models/slots.ts';
import type { Accepted } from '../../models/trust/trust.ts';
import type { Progress } from './progress.ts';

export interface Reported
  extends Pick<ReportedDocument, 'hostId' | 'site' | 'bootId' | 'labels' | 'refused'> {
  readonly nowMs: number;
  readonly agentVersion: string;
  /** Version of the root that is trusted. */
  readonly root: number;
  readonly model: string;
  readonly rollout: Accepted<RolloutDocument> | null;
  readonly desired: ReleaseReference | null;
  readonly running: LoadedModel | null;
  readonly slots: Pick<ModelSlots, 'digest'>;
  readonly progress: Progress;
  readonly figures: InstallFigures | null;
}

/** What a host says of itself to the centre, and in `status`. */
export function reportedDocument(of: Reported): ReportedDocument {
  const { hostId, site, bootId, agentVersion, labels, root, model, rollout, running, slots, figures } = of;
  const { state, release, alarms, error } = of.progress;
  return {
    schemaVersion: 1,
    ...{ hostId, site, bootId },
    at: new Date(of.nowMs).toISOString(),
    ...{ agentVersion, labels, root },
    rollout: rollout && { model, version: rollout.document.version, sha256: rollout.sha256 },
    desired: seen(of.desired),
    state,
    release: seen(release),
    running: running && {
      sha256: running.sha256,
      name: running.model.provenance.name,
      version: running.model.provenance.version,
      slot: running.slot,
    },
    slots: {
      current: slots.digest('current'),
      previous: slots.digest('previous'),
      central: slots.digest('central'),
      centralPrevious: slots.digest('central-previous'),
    },
    figures,
    alarms: alarms && { since: new Date(alarms.sinceMs).toISOString(), opened: alarms.opened },
    error,
    refused: { ...of.refused },
  };
}

export const seen = (one: ReleaseReference | null): ReleaseSeen | null =>
  one && { version: one.version, artifactSha256: one.artifactSha256 };
