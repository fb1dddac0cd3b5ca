import { setTimeout } from 'node:timers/promises';
import { printable } from '../../../agent/log.ts';
import { parseDurationMs } from '../../../agent/units.ts';
import { BrokerError } from '../../broker/errors.ts';
import { Exit, UserError } from '../../errors.ts';
import { Progress } from '../../progress.ts';
import { advanceOnce, type Step } from '../../rollout/advance.ts';
import { requireKeys } from '../../rollout/desk.ts';
import { type DeskOptions, withDesk } from '../../rollout/open.ts';
import { decisionWords, progressLine, rolloutDocument, rolloutPage, stageWords } from '../../rollout/view.ts';

export interface AdvanceOptions extends DeskOptions {
  readonly model?: string | undefined;
  readonly watch: boolean;
  readonly every: string;
  readonly adopt: boolean;
  readonly 'dry-run': boolean;
  readonly json: boolean;
}

export async function run(args: AdvanceOptions): Promise<number> {
  const everyMs = parseDurationMs(args.every);
  if (everyMs === null || everyMs < 100) {
    throw new UserError(`--every: expected a time from 100ms, found ${JSON.stringify(args.every)}`);
  }
  if (args.watch && args['dry-run']) throw new UserError('--watch and --dry-run exclude each other');
  const options = { adopt: args.adopt, dryRun: args['dry-run'] };
  return withDesk(args, { create: false }, async (desk, reader) => {
    if (args.watch) requireKeys(desk);
    if (!args.watch) {
      const step = await advanceOnce(desk, reader, args.model, options);
      warn(step);
      process.stdout.write(
        args.json
          ? json(step)
          : `${decisionWords(step.judgement)}${done(step, args['dry-run'])}\n\n${rolloutPage(step.rollout, step.judgement, step.read)}`,
      );
      return exitCode(step);
    }
    const progress = new Progress(!args.json);
    let said = '';
    try {
      for (;;) {
        const step = await advanceOrWait(progress, () => advanceOnce(desk, reader, args.model, options));
        if (step !== null) {
          const { kind } = step.judgement.decision;
          const words = `${new Date().toISOString()}  ${decisionWords(step.judgement)}${done(step, false)}`;
          // What goes on as before is told by the line that is written over.
          const news = kind === 'wait' ? kind : `${kind} ${step.judgement.decision.reasons.join()}`;
          if (args.json || (news !== said && kind !== 'wait') || step.version !== null) {
            progress.end();
            warn(step);
            process.stdout.write(args.json ? json(step) : `${words}\n`);
          }
          said = news;
          progress.note(progressLine(step.rollout, step.judgement.figures));
          if (step.rollout.progress.status !== 'running') return exitCode(step);
        }
        await setTimeout(everyMs);
      }
    } finally {
      progress.end();
    }
  });
}

/** A broker that is away for a while ends no rollout: null, and it is tried again. */
async function advanceOrWait(progress: Progress, work: () => Promise<Step>): Promise<Step | null> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError) || error.exitCode !== Exit.unreachable) throw error;
    // What the broker refuses it will refuse again: a person has to act.
    if (error instanceof BrokerError && error.code !== undefined) throw error;
    progress.end();
    process.stderr.write(`edgewood: ${error.message}; trying again\n`);
    return null;
  }
}

function exitCode({ judgement, rollout }: Step): number {
  const isNo = judgement.decision.kind === 'abort' || rollout.progress.status === 'aborted';
  return isNo ? Exit.checkSaysNo : Exit.done;
}

function done({ version, judgement, rollout }: Step, dryRun: boolean): string {
  if (dryRun) return ' (dry run: nothing was done)';
  if (version === null) return '';
  const { kind } = judgement.decision;
  const what =
    kind === 'advance'
      ? `stage ${stageWords(rollout.plan, rollout.progress)}`
      : kind === 'abort'
        ? 'every host goes back'
        : 'renewed';
  return ` -> ${what}, version ${version}`;
}

function warn({ strange, behind, read }: Step): void {
  const say = (text: string): void => void process.stderr.write(`edgewood: ${text}\n`);
  if (strange.length > 0) {
    say(`a rollout that nobody vouches for lay at ${strange.map(printable).join(', ')}; it was written over`);
  }
  const late = behind.filter((site) => !strange.includes(site));
  if (late.length > 0)
    say(`the newest document was missing at ${late.map(printable).join(', ')}; published again`);
  if (read.refused > 0) say(`${read.refused} topics can't be read: the broker refuses`);
  for (const { host, fault } of read.faulty.slice(0, 5))
    say(`the report of ${printable(host)} is none: ${printable(fault)}`);
  if (read.faulty.length > 5) say(`and ${read.faulty.length - 5} more reports that are none`);
}

const json = (step: Step): string =>
  `${JSON.stringify({ time: new Date().toISOString(), ...rolloutDocument(step.rollout, step.judgement, step.read, step.version) })}\n`;
