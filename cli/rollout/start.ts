import { printable } from '../../agent/log.ts';
import { siteTopics } from '../../core/protocol/topics.ts';
import type { ReleaseDocument, ReleaseReference } from '../../core/protocol/trust.ts';
import { inCohort, isAble, selected } from '../../models/rollout/figures.ts';
import { firstStage } from '../../models/rollout/judge.ts';
import type { KnownHost, Progress, RolloutPlan } from '../../models/rollout/plan.ts';
import { begun, documentFor } from '../../models/rollout/progress.ts';
import type { RolloutStore } from '../../models/rollout/store.ts';
import { documentOf, openEnvelope } from '../../models/trust/envelope.ts';
import { Trust } from '../../models/trust/trust.ts';
import { Exit, UserError } from '../errors.ts';
import { trusting } from '../trust/envelope-file.ts';
import { compareWithBroker, type Desk, publish, signed } from './desk.ts';
import type { FleetReader } from './fleet.ts';
import { type PlanOptions, planOf } from './plan-options.ts';

export interface Started {
  readonly plan: RolloutPlan;
  readonly progress: Progress;
  readonly version: number;
  /** How many of the known hosts are selected, of the first stage, and of those online. */
  readonly hosts: { readonly selected: number; readonly first: number; readonly able: number };
}

/** Begins a rollout: release checked as a host would, plan, first document; stored, then published. */
export async function startRollout(
  desk: Desk,
  reader: FleetReader,
  { path, bytes }: { readonly path: string; readonly bytes: Buffer },
  options: PlanOptions,
  about: {
    readonly sites: readonly string[];
    /** Which hosts come first; drawn anew for each rollout. */
    readonly seed: string;
    readonly why: string | null;
    readonly adopt: boolean;
    readonly dryRun: boolean;
  },
): Promise<Started> {
  const { sites, dryRun } = about;
  const { document, reference } = trustedRelease(desk, path, bytes);
  const { model } = document;
  await requireRelease(desk, document, reference.sha256, sites);
  const everywhere = [...new Set([...desk.store.sites(model), ...sites])];
  await compareWithBroker(desk, model, everywhere, about.adopt && !dryRun);
  refuseRunning(desk.store, model);
  const read = await reader.read(desk.broker, sites, desk.store.hosts());
  const plan = planOf(options, {
    fleet: desk.root.document.fleet,
    model,
    release: reference,
    baseline: baselineOf(desk, reference, model),
    flagShare: document.limits.flagShare,
    sites,
    seed: about.seed,
  });
  const chosen = read.hosts.filter((host) => selected(plan, host) === true);
  if (chosen.length === 0) {
    throw new UserError(
      `none of ${read.hosts.length} known hosts at ${sites.map(printable).join(', ')} is selected: with nobody known, a first stage could be anybody`,
      Exit.checkSaysNo,
    );
  }
  const newest = desk.store.newestDocument(model);
  const version = (newest?.version ?? 0) + 1;
  const progress = begun(firstStage(plan, read.hosts), version, desk.nowMs());
  const issued = signed(desk, documentFor(plan, progress, version, desk.nowMs()), newest);
  if (!dryRun) {
    desk.store.rememberHosts(read.hosts);
    const change = { action: 'start', why: about.why, figures: null } as const;
    desk.store.start(plan, bytes.toString('utf8'), progress, issued, everywhere, change);
    await publish(desk, model, everywhere);
  }
  return { plan, progress, version, hosts: countFirst(plan, progress.fraction, chosen) };
}

function countFirst(plan: RolloutPlan, fraction: number, chosen: readonly KnownHost[]): Started['hosts'] {
  const first = chosen.filter(({ hostId }) => inCohort(plan.seed, fraction, hostId));
  return { selected: chosen.length, first: first.length, able: first.filter(isAble).length };
}

/** As a host would take it. @throws TrustError */
function trustedRelease(
  { root, nowMs }: Desk,
  path: string,
  bytes: Uint8Array,
): { readonly document: ReleaseDocument; readonly reference: ReleaseReference } {
  return trusting(path, () => {
    const sealed = openEnvelope(bytes);
    const { model, version, artifact } = documentOf(sealed, 'release');
    const reference = { version, sha256: sealed.sha256, artifactSha256: artifact.sha256 };
    const trust = new Trust(root.bytes, root.sha256);
    return { document: trust.acceptRelease(bytes, model, reference, nowMs()).document, reference };
  });
}

/** What no host can fetch is not rolled out. @throws UserError */
async function requireRelease(
  { broker }: Desk,
  { model, version, artifact }: ReleaseDocument,
  sha256: string,
  sites: readonly string[],
): Promise<void> {
  const topics = sites.flatMap((site) => {
    const of = siteTopics(site);
    return [of.release(model, version), ...artifact.chunks.map((_, i) => of.chunk(artifact.sha256, i))];
  });
  const { found } = await broker.readRetained(topics);
  const missing = topics.filter((topic) => !found.has(topic));
  const other = sites
    .map((site) => siteTopics(site).release(model, version))
    .filter((topic) => found.has(topic) && digestOf(found.get(topic) as Uint8Array) !== sha256);
  if (missing.length === 0 && other.length === 0) return;
  const what = other.length > 0 ? `${other[0]} holds another release` : `${missing[0]} is not at the broker`;
  const more = missing.length + other.length - 1;
  throw new UserError(
    `${what}${more > 0 ? `, and ${more} topics more` : ''}: publish it first, edgewood release publish ${printable(model)}@${version} ${sites.map((site) => `--site ${printable(site)}`).join(' ')}`,
    Exit.checkSaysNo,
  );
}

function digestOf(bytes: Uint8Array): string | null {
  try {
    return openEnvelope(bytes).sha256;
  } catch {
    return null;
  }
}

function refuseRunning(store: RolloutStore, model: string): void {
  const before = store.current(model);
  if (before === null || before.progress.status !== 'running') return;
  throw new UserError(
    `${printable(model)}@${before.plan.release.version} is being rolled out; first edgewood rollout abort ${printable(model)}, or wait for its end`,
    Exit.checkSaysNo,
  );
}

/** The last release that reached everybody, unless it was revoked since. */
function baselineOf(
  { store, root }: Desk,
  release: ReleaseReference,
  model: string,
): ReleaseReference | null {
  const last = store.lastCompleted(model);
  if (last === null) return null;
  const name = `${printable(model)}@${last.version}`;
  if (root.document.revoked.includes(last.artifactSha256)) {
    process.stderr.write(
      `edgewood: ${name}, the last release that was completed, is revoked: an abort goes back to what each host learned itself\n`,
    );
    return null;
  }
  // Hosts of later stages run it, and go on with it meanwhile.
  if (last.artifactSha256 === release.artifactSha256) {
    process.stderr.write(
      `edgewood: ${name} is itself the last release that was completed: an abort leaves hosts with it. To take it back, roll out the release before it, or revoke it (edgewood keys root next)\n`,
    );
  }
  return last;
}
