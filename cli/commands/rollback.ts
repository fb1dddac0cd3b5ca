import { Exit } from '../errors.ts';
import { askAgent, socketPath } from '../local.ts';

export interface RollbackOptions {
  readonly why: string;
  readonly socket?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly json: boolean;
}

export async function run(args: RollbackOptions): Promise<number> {
  const path = await socketPath(args);
  const answer = await askAgent<{ from: string; to: string }>(path, { method: 'rollback', why: args.why });
  const text = `The model before watches again: ${answer.to.slice(0, 12)} instead of ${answer.from.slice(0, 12)}. The same command takes that back.`;
  process.stdout.write(`${args.json ? JSON.stringify(answer) : text}\n`);
  return Exit.done;
}
