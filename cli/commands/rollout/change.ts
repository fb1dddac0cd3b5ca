import { printable } from '../../../agent/log.ts';
import { aborted, withState } from '../../../models/rollout/progress.ts';
import type { StoredRollout } from '../../../models/rollout/store.ts';
import { Exit, UserError } from '../../errors.ts';
import { compareWithBroker, type Desk, issue, publish, renew } from '../../rollout/desk.ts';
import { chosenRollout, type DeskOptions, withDesk } from '../../rollout/open.ts';
import { baselineWords } from '../../rollout/view.ts';

export type ChangeAction = 'pause' | 'resume' | 'abort' | 'renew';

export interface ChangeOptions extends DeskOptions {
  readonly action: string;
  readonly model?: string | undefined;
  readonly why?: string | undefined;
  readonly adopt: boolean;
  readonly 'dry-run': boolean;
  readonly json: boolean;
}

const DONE: Readonly<Record<ChangeAction, string>> = {
  pause: 'paused: no host begins anything',
  resume: 'goes on',
  abort: 'aborted: every host goes back to',
  renew: 'renewed as it is',
};

export async function run(args: ChangeOptions): Promise<number> {
  const action = args.action as ChangeAction;
  return withDesk(args, { create: false, role: action === 'renew' ? 'renewal' : 'rollout' }, async (desk) => {
    const { model } = chosenRollout(desk.store, args.model);
    const dryRun = args['dry-run'];
    const { behind } = await compareWithBroker(desk, model, desk.store.sites(model), args.adopt && !dryRun);
    const rollout = chosenRollout(desk.store, model);
    const fault = faultOf(action, rollout);
    if (fault !== null) throw new UserError(`the rollout of ${printable(model)} ${fault}`, Exit.checkSaysNo);
    const version = dryRun ? null : await change(desk, rollout, action, args.why ?? null);
    if (!dryRun && version === null) await publish(desk, model, behind);
    const about = { model, release: rollout.plan.release, action, version, dryRun };
    process.stdout.write(
      args.json
        ? `${JSON.stringify(about)}\n`
        : `${printable(model)}@${rollout.plan.release.version}: ${DONE[action]}${action === 'abort' ? ` ${baselineWords(rollout.plan)}` : ''}${dryRun ? ' (dry run: nothing was done)' : `, version ${version}`}\n`,
    );
    return Exit.done;
  });
}

function faultOf(action: ChangeAction, { progress: { status, state } }: StoredRollout): string | null {
  if (action === 'renew') return null;
  // A release that is everywhere can be taken back all the same: the next thing to go wrong is found later.
  if (action === 'abort') return status === 'aborted' ? 'is aborted already' : null;
  if (status !== 'running') return `is ${status}`;
  if (action === 'pause') return state === 'paused' ? 'is paused already' : null;
  return state === 'paused' ? null : 'is not paused';
}

async function change(
  desk: Desk,
  rollout: StoredRollout,
  action: ChangeAction,
  why: string | null,
): Promise<number> {
  if (action === 'renew') return renew(desk, rollout, why);
  const { progress } = rollout;
  const next =
    action === 'abort' ? aborted(progress) : withState(progress, action === 'pause' ? 'paused' : 'active');
  return (await issue(desk, rollout, () => next, { action, why, figures: null })).version;
}
