import type { VerdictRecord } from '../../agent/verdicts.ts';
import { Exit, UserError } from '../errors.ts';
import { askAgent, socketPath } from '../local.ts';

export interface VerdictOptions {
  readonly id: string;
  readonly verdict: string;
  readonly note: string;
  readonly socket?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly json: boolean;
}

export async function run({ id, verdict, note, ...args }: VerdictOptions): Promise<number> {
  const path = await socketPath(args);
  const record = await askAgent<VerdictRecord | null>(path, { method: 'verdict', id, verdict, note });
  if (record === null) {
    throw new UserError(
      `no incident begins with "${id}", or more than one; \`edgewood alerts list\` names them`,
      Exit.checkSaysNo,
    );
  }
  process.stdout.write(
    args.json ? `${JSON.stringify(record)}\n` : `${record.incidentId}: ${record.verdict}.\n`,
  );
  return Exit.done;
}
