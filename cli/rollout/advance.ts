import { type Judgement, judge } from '../../models/rollout/judge.ts';
import { aborted, advanced, completed } from '../../models/rollout/progress.ts';
import type { StoredRollout } from '../../models/rollout/store.ts';
import { compareWithBroker, type Desk, documentIn, issue, publish, renew } from './desk.ts';
import type { FleetRead, FleetReader } from './fleet.ts';
import { chosenRollout } from './open.ts';

export interface Step {
  /** As it is after the step. */
  readonly rollout: StoredRollout;
  readonly judgement: Judgement;
  readonly read: FleetRead;
  /** Of the document that was issued; null: none was. */
  readonly version: number | null;
  /** Sites that had not got the newest document, and where something lay that nobody vouches for. */
  readonly behind: readonly string[];
  readonly strange: readonly string[];
}

/** Looks at the fleet, judges, and does what follows: one step, after which all is on disk and published. */
export async function advanceOnce(
  desk: Desk,
  reader: FleetReader,
  model: string | undefined,
  { adopt, dryRun }: { readonly adopt: boolean; readonly dryRun: boolean },
): Promise<Step> {
  const name = chosenRollout(desk.store, model).model;
  const sites = desk.store.sites(name);
  const { behind, strange } = await compareWithBroker(desk, name, sites, adopt && !dryRun);
  if (!dryRun) await publish(desk, name, behind);
  const rollout = chosenRollout(desk.store, name);
  const read = await readFleet(desk, reader, rollout, dryRun);
  const judgement = judge(rollout.plan, rollout.progress, read.hosts, desk.nowMs());
  const about = { judgement, read, behind, strange };
  if (dryRun) return { ...about, rollout, version: null };
  const after = await act(desk, rollout, judgement);
  if (after.version !== null || !isOld(desk, name)) return { ...about, ...after };
  return { ...about, rollout: after.rollout, version: await renew(desk, after.rollout, 'it would expire') };
}

export async function readFleet(
  { store, broker }: Pick<Desk, 'store' | 'broker'>,
  reader: FleetReader,
  { plan, model }: StoredRollout,
  dryRun: boolean,
): Promise<FleetRead> {
  const read = await reader.read(broker, plan.select.sites ?? store.sites(model), store.hosts());
  if (!dryRun) store.rememberHosts(read.hosts);
  return read;
}

async function act(
  desk: Desk,
  rollout: StoredRollout,
  { decision, figures, progress }: Judgement,
): Promise<{ readonly rollout: StoredRollout; readonly version: number | null }> {
  const { plan } = rollout;
  if (progress.status !== 'running') return { rollout, version: null };
  const change = { action: decision.kind, why: decision.reasons.join('; '), figures };
  switch (decision.kind) {
    case 'advance':
      return issue(desk, rollout, (version) => advanced(plan, progress, decision, version, desk.nowMs()), {
        ...change,
        action: 'advance',
      });
    case 'abort':
      return issue(desk, rollout, () => aborted(progress), { ...change, action: 'abort' });
    case 'complete':
      return {
        rollout: desk.store.step(rollout, completed(progress), null, { ...change, action: 'complete' }),
        version: null,
      };
    default:
      return { rollout: desk.store.note(rollout, progress), version: null };
  }
}

/** Past half of its time. */
function isOld({ store, nowMs }: Desk, model: string): boolean {
  const newest = store.newestDocument(model);
  if (newest === null) return false;
  const { issuedAt, expiresAt } = documentIn(newest);
  const [from, to] = [Date.parse(issuedAt), Date.parse(expiresAt)];
  return nowMs() > from + (to - from) / 2;
}
