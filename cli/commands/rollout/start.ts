import { randomBytes } from 'node:crypto';
import { printable } from '../../../agent/log.ts';
import { brokerSites } from '../../broker/options.ts';
import { Exit } from '../../errors.ts';
import { type DeskOptions, withDesk } from '../../rollout/open.ts';
import type { PlanOptions } from '../../rollout/plan-options.ts';
import { startRollout } from '../../rollout/start.ts';
import { baselineWords, percentOf, stageWords } from '../../rollout/view.ts';
import { readDocumentFile } from '../../trust/envelope-file.ts';
import { releasePlace } from '../../trust/release-file.ts';

export interface StartOptions extends DeskOptions, PlanOptions {
  readonly release: string;
  readonly why?: string | undefined;
  readonly adopt: boolean;
  readonly 'dry-run': boolean;
  readonly json: boolean;
}

export async function run(args: StartOptions): Promise<number> {
  const { path } = releasePlace(args.release, args.registry);
  const bytes = readDocumentFile(path);
  const sites = brokerSites(args);
  return withDesk(args, { create: true }, async (desk, reader) => {
    const seed = randomBytes(16).toString('hex');
    const options = { sites, seed, why: args.why ?? null, adopt: args.adopt, dryRun: args['dry-run'] };
    const started = await startRollout(desk, reader, { path, bytes }, args, options);
    const { plan, progress, version, hosts } = started;
    if (args.json) {
      const { model, release } = plan;
      process.stdout.write(
        `${JSON.stringify({ model, release, plan, version, hosts, dryRun: args['dry-run'] })}\n`,
      );
      return Exit.done;
    }
    const name = printable(plan.model);
    const lines = [
      `${name}@${plan.release.version}: version ${version}, ${stageWords(plan, progress)}${args['dry-run'] ? ' (dry run: nothing was done)' : ''}`,
      `  ${hosts.first} of ${hosts.selected} selected hosts begin, ${hosts.able} of them online`,
      `  stages ${plan.stages.map(({ share }) => percentOf(share)).join(', ')}; an abort goes back to ${baselineWords(plan)}`,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
    if (!args['dry-run']) process.stderr.write('Next: edgewood rollout advance --watch\n');
    return Exit.done;
  });
}
