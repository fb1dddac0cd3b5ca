import { Exit } from '../errors.ts';
import { askAgent, socketPath } from '../local.ts';

export interface RetrainOptions {
  readonly why: string;
  readonly socket?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly json: boolean;
}

export async function run(args: RetrainOptions): Promise<number> {
  const path = await socketPath(args);
  const answer = await askAgent<{ decision: 'begun' | 'asked' }>(path, { method: 'retrain', why: args.why });
  const text = {
    begun:
      'A new model is being fitted in the background; it replaces the one that watches unless it would be worse. `edgewood status` shows what became of it.',
    asked:
      'This host takes its models from the centre: it was asked for one, with an edgewood.retraining event.',
  }[answer.decision];
  process.stdout.write(`${args.json ? JSON.stringify(answer) : text}\n`);
  return Exit.done;
}
