import { siteTopics } from '../../core/protocol/topics.ts';
import type { RootDocument } from '../../core/protocol/trust.ts';
import type { CheckContext, CheckFinding, CheckResult, FleetCheck } from '../../hub/verify.ts';
import type { Publications } from '../../models/registry/publications.ts';
import type { Registry } from '../../models/registry/registry.ts';
import { RegistryError } from '../../models/registry/registry-error.ts';
import type { StoredDocument } from '../../models/rollout/store.ts';
import { documentOf, openEnvelope, requireType } from '../../models/trust/envelope.ts';
import { writtenRoot } from '../../models/trust/root.ts';
import { TrustError } from '../../models/trust/trust-error.ts';
import { vouchedRollout } from '../../models/trust/vouching.ts';
import { BrokerError } from '../broker/errors.ts';
import { withPublications, withRegistry } from '../registry.ts';
import { withStore } from '../rollout/open.ts';
import { readWritten } from '../trust/envelope-file.ts';
import { compareRetained, type Retained, retain, retainedRelease, retainedRoots } from '../trust/publish.ts';

/** Signed documents of a registry against what the broker retains. No key is needed to put them back. */

/** Roots, chunks and release documents that were published from the registry. */
export const releaseCheck = (registryFlag: string | undefined): FleetCheck => ({
  name: 'releases',
  run: (context) =>
    holding('releases', context, (hold) =>
      withPublications(registryFlag, false, (publications) =>
        withRegistry(registryFlag, { create: false }, async (registry) => {
          for (const site of context.sites) {
            for (const messages of releasesOf(site, publications, registry)) await hold(messages);
          }
          return elsewhere(publications.sites(), context);
        }),
      ),
    ),
});

/** The newest rollout document of each model. */
export const rolloutCheck = (registryFlag: string | undefined): FleetCheck => ({
  name: 'rollouts',
  run: (context) =>
    holding('rollouts', context, (hold) =>
      withStore(registryFlag, false, async (store) => {
        const all: string[] = [];
        for (const model of store.models()) {
          const newest = store.newestDocument(model);
          const sites = store.sites(model);
          all.push(...sites);
          if (newest === null) continue;
          await hold(
            sites
              .filter((site) => context.sites.includes(site))
              .map((site) => ({
                topic: siteTopics(site).rollout(model),
                payload: Buffer.from(newest.envelope),
                keeps: (there) => aheadOf(newest, there, newestRoot(registryFlag, site)),
              })),
          );
        }
        return elsewhere(all, context);
      }),
    ),
});

const elsewhere = (sites: readonly string[], context: CheckContext): string[] => {
  const others = [...new Set(sites)].filter((site) => !context.sites.includes(site));
  return others.length === 0 ? [] : [`not looked at: site ${others.join(', ')} (--site)`];
};

/** One list after the other: a model's chunks are in memory only while they are compared. */
function* releasesOf(site: string, publications: Publications, registry: Registry): Generator<Retained[]> {
  const roots = publications.roots(site).map(({ envelope }) => openEnvelope(Buffer.from(envelope)));
  const newest = roots.at(-1);
  if (newest === undefined) return;
  const root = writtenRoot(newest);
  yield retainedRoots(site, roots, root);
  for (const { model, version } of publications.releases(site)) {
    const written = readWritten(registry.releasePath(model, version), 'release');
    const { bytes: artifact } = registry.read(model, String(version));
    yield retainedRelease(site, { ...written, artifact }, root);
  }
}

function newestRoot(registryFlag: string | undefined, site: string): RootDocument | null {
  try {
    return withPublications(registryFlag, false, (publications) => {
      const newest = publications.roots(site).at(-1);
      return newest === undefined ? null : writtenRoot(openEnvelope(Buffer.from(newest.envelope)));
    });
  } catch (error) {
    // Nothing was published from here: whatever is a newer rollout is left alone.
    if (error instanceof RegistryError && error.fault === 'absent') return null;
    throw error;
  }
}

/** What must stay: hosts have seen its version, and take none below. */
function aheadOf(ours: StoredDocument, there: Uint8Array, root: RootDocument | null): string | null {
  try {
    const sealed = openEnvelope(there);
    requireType(sealed, 'rollout');
    const { version } = root === null ? documentOf(sealed, 'rollout') : vouchedRollout(sealed, root).document;
    if (version < ours.version || sealed.sha256 === ours.sha256) return null;
    return `version ${version} lies there, and this registry issued ${ours.version}: another registry writes as well, or this one was restored; see edgewood rollout advance --adopt`;
  } catch (error) {
    if (error instanceof TrustError) return null;
    throw error;
  }
}

/** @param work hands over what shall be retained, and returns notes */
async function holding(
  check: string,
  context: CheckContext,
  work: (hold: (messages: readonly Retained[]) => Promise<void>) => Promise<readonly string[]>,
): Promise<CheckResult> {
  const findings: CheckFinding[] = [];
  let checked = 0;
  const notes = await work(async (messages) => {
    checked += messages.length;
    for (const finding of await compared(context, messages)) findings.push({ check, ...finding });
  });
  return { checked, fine: checked - findings.length, findings, notes };
}

type Astray = Omit<CheckFinding, 'check'>;

async function compared({ broker, repair }: CheckContext, messages: readonly Retained[]): Promise<Astray[]> {
  const before = await compareRetained(broker, messages);
  const pending = [...before.missing, ...before.differing];
  let why: string | null = null;
  let after = before;
  if (repair && pending.length > 0) {
    const order = messages.filter((message) => pending.includes(message));
    why = await retained(() => retain(broker, order, () => {}));
    // A broker of MQTT 3.1.1 takes what it then throws away.
    after = await compareRetained(broker, messages);
  }
  const astray = new Set([...after.missing, ...after.differing].map(({ topic }) => topic));
  const finding =
    (word: string, says: string) =>
    ({ topic }: { readonly topic: string }): Astray => {
      const repaired = repair && !astray.has(topic);
      const failed = repair && !repaired && why !== null ? `; ${why}` : '';
      return { finding: word, subject: topic, says: `${says}${failed}`, repaired };
    };
  return [
    ...before.missing.map(
      finding('missing', 'nothing is retained there, or the access rules hide it from this user'),
    ),
    ...before.differing.map(finding('differs', 'something else is retained there')),
    ...before.kept.map(({ topic, why }) => ({ finding: 'stays', subject: topic, says: why })),
    ...before.refused.map((topic) => ({
      finding: 'refused',
      subject: topic,
      says: 'the broker does not let this user read it',
    })),
  ];
}

/** @returns why it could not be published; null: it could. @throws BrokerError where the broker is gone */
async function retained(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code === undefined) throw error;
    return `${error.message}. Roots and releases take a releaser's credentials, rollouts an operator's`;
  }
}
