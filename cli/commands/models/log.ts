import { printable } from '../../../agent/log.ts';
import type { AuditEntry } from '../../../models/registry/registry.ts';
import { Exit } from '../../errors.ts';
import { withRegistry } from '../../registry.ts';

export interface LogOptions {
  readonly name?: string | undefined;
  readonly registry?: string | undefined;
  readonly json: boolean;
}

export async function run(args: LogOptions): Promise<number> {
  return withRegistry(args.registry, { create: false }, (registry) => {
    const entries = registry.audit(args.name);
    const text = args.json
      ? `${JSON.stringify({ entries })}\n`
      : entries.map((entry) => `${line(entry)}\n`).join('');
    process.stdout.write(text);
    return Exit.done;
  });
}

function line({ time, actor, action, name, version, alias, from, to, why }: AuditEntry): string {
  const what =
    alias === null ? `${name}@${version}` : `${name}@${alias}: ${from ?? 'nowhere'} -> ${to ?? 'nowhere'}`;
  const at = time.slice(0, 19).replace('T', ' ');
  return `${at}  ${printable(actor)}  ${action}  ${what}${why === null ? '' : `  (${printable(why)})`}`;
}
