import { printable } from '../../../agent/log.ts';
import type { LoggedDecision } from '../../../models/rollout/store.ts';
import { Exit } from '../../errors.ts';
import { withStore } from '../../rollout/open.ts';

export interface HistoryOptions {
  readonly model?: string | undefined;
  readonly registry?: string | undefined;
  readonly json: boolean;
}

export async function run(args: HistoryOptions): Promise<number> {
  return withStore(args.registry, false, (store) => {
    const entries = store.history(args.model ?? null);
    process.stdout.write(
      args.json
        ? `${JSON.stringify({ entries: entries.map(({ figures, ...one }) => ({ ...one, figures: figures === null ? null : JSON.parse(figures) })) })}\n`
        : entries.map((entry) => `${line(entry)}\n`).join(''),
    );
    return Exit.done;
  });
}

function line({ time, actor, model, action, version, why }: LoggedDecision): string {
  const at = time.slice(0, 19).replace('T', ' ');
  const issued = version === null ? '' : `  version ${version}`;
  return `${at}  ${printable(actor)}  ${printable(model)}  ${action}${issued}${why === null ? '' : `  (${printable(why)})`}`;
}
