import { createPublicKey, type KeyObject } from 'node:crypto';
import { printable } from '../../agent/log.ts';
import { siteTopics } from '../../core/protocol/topics.ts';
import type { RolloutDocument } from '../../core/protocol/trust.ts';
import type { Broker } from '../../hub/broker.ts';
import type { Progress } from '../../models/rollout/plan.ts';
import { adopted, documentFor } from '../../models/rollout/progress.ts';
import type { Change, RolloutStore, StoredDocument, StoredRollout } from '../../models/rollout/store.ts';
import { addSignature, documentOf, envelopeText, openEnvelope, seal } from '../../models/trust/envelope.ts';
import { keyIdOf } from '../../models/trust/keys.ts';
import type { TrustedRoot } from '../../models/trust/root.ts';
import { NO_TRUST, Trust } from '../../models/trust/trust.ts';
import { TrustError } from '../../models/trust/trust-error.ts';
import { renewalOf, vouchedRollout } from '../../models/trust/vouching.ts';
import { Exit, UserError } from '../errors.ts';

const NO_KEYS = 'name the private keys that sign rollouts with --key FILE';

/** Where rollouts are written: the only place that gives out versions. */
export interface Desk {
  readonly store: RolloutStore;
  readonly broker: Broker;
  readonly root: TrustedRoot & { readonly bytes: Uint8Array };
  readonly keys: readonly KeyObject[];
  readonly nowMs: () => number;
}

/** What lies at the broker, against what this registry issued last. */
export interface BrokerView {
  /** Sites that have not got the newest document. */
  readonly behind: readonly string[];
  /** Sites where something lies that nobody vouches for. */
  readonly strange: readonly string[];
}

/** For who goes on by himself: what will be signed in a day is asked for now. @throws UserError */
export function requireKeys({ keys, root }: Desk): void {
  if (keys.length === 0) throw new UserError(NO_KEYS);
  const { threshold } = root.document.roles.rollout;
  const given = new Set(keys.map((key) => keyIdOf(createPublicKey(key)))).size;
  if (given >= threshold) return;
  throw new UserError(
    `rollouts take the signatures of ${threshold} keys, ${given} given: --key for each`,
    Exit.untrustworthy,
  );
}

/** Signs a document, and holds it against all that a host asks of one. @throws TrustError, UserError */
export function signed(desk: Desk, document: RolloutDocument, before: StoredDocument | null): StoredDocument {
  if (desk.keys.length === 0) throw new UserError(NO_KEYS);
  const envelope = envelopeText(desk.keys.reduce(addSignature, seal(document)));
  const { model, version } = document;
  const rollouts = before === null ? {} : { [model]: before };
  const trust = new Trust(desk.root.bytes, desk.root.sha256, { ...NO_TRUST, rollouts });
  const { sha256 } = trust.acceptRollout(Buffer.from(envelope), model, desk.nowMs());
  return { version, sha256, envelope };
}

/** The next step of a rollout: signed, stored, and only then published. */
export async function issue(
  desk: Desk,
  before: StoredRollout,
  progressAt: (version: number) => Progress,
  change: Change,
): Promise<{ readonly rollout: StoredRollout; readonly version: number }> {
  const newest = desk.store.newestDocument(before.model);
  const version = (newest?.version ?? 0) + 1;
  const progress = progressAt(version);
  const document = signed(desk, documentFor(before.plan, progress, version, desk.nowMs()), newest);
  const rollout = desk.store.step(before, progress, document, change);
  await publish(desk, before.model, desk.store.sites(before.model));
  return { rollout, version };
}

/** The newest document once more, under later dates. A renewal key is enough. */
export async function renew(desk: Desk, before: StoredRollout, why: string | null): Promise<number> {
  const newest = desk.store.newestDocument(before.model);
  if (newest === null) throw new UserError(`${printable(before.model)} has no document to renew`);
  const old = documentIn(newest);
  const lifeMs = Date.parse(old.expiresAt) - Date.parse(old.issuedAt);
  const nowMs = desk.nowMs();
  const version = old.version + 1;
  const dates = {
    issuedAt: new Date(nowMs).toISOString(),
    expiresAt: new Date(nowMs + lifeMs).toISOString(),
  };
  const renews = renewalOf(openEnvelope(Buffer.from(newest.envelope)), old);
  const document = signed(desk, { ...old, version, ...dates, renews }, newest);
  desk.store.step(before, before.progress, document, { action: 'renew', why, figures: null });
  await publish(desk, before.model, desk.store.sites(before.model));
  return version;
}

export const documentIn = ({ envelope }: StoredDocument): RolloutDocument =>
  documentOf(openEnvelope(Buffer.from(envelope)), 'rollout');

/** The newest document to these sites. As often as one likes: it is retained, and hosts know it by its digest. */
export async function publish(desk: Desk, model: string, sites: readonly string[]): Promise<void> {
  const newest = desk.store.newestDocument(model);
  if (newest === null) return;
  for (const site of sites) {
    await desk.broker.publish(siteTopics(site).rollout(model), newest.envelope, { retain: true });
  }
}

/**
 * Looks at what lies at the broker. A process that ended between storing and publishing has left sites behind; a
 * higher version than any here was issued by another registry, or before this one was restored from a backup.
 * @param adopt take such a document into the books, so that the next one comes after it
 * @throws UserError for one where it is not to be adopted
 */
export async function compareWithBroker(
  desk: Desk,
  model: string,
  sites: readonly string[],
  adopt: boolean,
): Promise<BrokerView> {
  const { found, refused } = await desk.broker.readRetained(
    sites.map((site) => siteTopics(site).rollout(model)),
  );
  if (refused.length > 0) {
    throw new UserError(`the broker does not let us read ${printable(refused[0])}`, Exit.unreachable);
  }
  const newest = desk.store.newestDocument(model);
  const behind: string[] = [];
  const strange: string[] = [];
  let ahead: StoredDocument | null = null;
  for (const site of sites) {
    const there = vouched(desk, model, found.get(siteTopics(site).rollout(model)));
    if (there === 'strange') strange.push(site);
    else if (there !== null && isAhead(there, newest)) {
      if (ahead === null || there.version > ahead.version) ahead = there;
      continue;
    }
    if (there === null || there === 'strange' || there.sha256 !== newest?.sha256) behind.push(site);
  }
  if (ahead === null) return { behind: newest === null ? [] : behind, strange };
  if (!adopt) {
    throw new UserError(
      `version ${ahead.version} of the rollout of ${printable(model)} lies at the broker, and this registry has ${newest === null ? 'none' : `issued ${newest.version}`}: another registry writes as well, or this one was restored from a backup. Hosts take no older version. --adopt takes that document into this registry and goes on after it`,
      Exit.checkSaysNo,
    );
  }
  const same = ahead.version === newest?.version;
  desk.store.adopt(model, ahead, (progress, plan) => adopted(plan, progress, documentIn(ahead)));
  const current = desk.store.current(model);
  if (!same || current === null) return { behind: sites, strange };
  // Two documents of one version: some hosts have this one, some that one, and all take the next.
  const change = { action: 'adopt', why: null, figures: null } as const;
  await issue(desk, current, (version) => ({ ...current.progress, stageVersion: version }), change);
  return { behind: [], strange };
}

const isAhead = (there: StoredDocument, newest: StoredDocument | null): boolean =>
  there.version > (newest?.version ?? 0) ||
  (there.version === newest?.version && there.sha256 !== newest.sha256);

/** null: nothing lies there. Expired or not: hosts have seen its version. */
function vouched(
  { root }: Desk,
  model: string,
  bytes: Uint8Array | undefined,
): StoredDocument | 'strange' | null {
  if (bytes === undefined || bytes.length === 0) return null;
  try {
    const sealed = openEnvelope(bytes);
    const { document } = vouchedRollout(sealed, root.document);
    if (document.fleet !== root.document.fleet || document.model !== model) return 'strange';
    return {
      version: document.version,
      sha256: sealed.sha256,
      envelope: Buffer.from(bytes).toString('utf8'),
    };
  } catch (error) {
    if (error instanceof TrustError) return 'strange';
    throw error;
  }
}
