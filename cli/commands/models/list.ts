import type { ListedModel } from '../../../models/registry/registry.ts';
import { Exit } from '../../errors.ts';
import { withRegistry } from '../../registry.ts';
import { aligned, brief } from '../../table.ts';

export interface ListOptions {
  readonly registry?: string | undefined;
  readonly json: boolean;
}

export async function run(args: ListOptions): Promise<number> {
  return withRegistry(args.registry, { create: false }, (registry) => {
    const models = registry.list();
    process.stdout.write(args.json ? `${JSON.stringify({ models })}\n` : page(models, registry.directory));
    return Exit.done;
  });
}

/** A line for each version, the newest first. */
function page(models: readonly ListedModel[], directory: string): string {
  if (models.length === 0) return `${directory} is empty. edgewood train puts a model there.\n`;
  const heads = ['model', 'created', 'detector', 'features', 'F1', 'events', 'alarms/day', 'aliases'];
  const rows = models.flatMap(({ name, versions, aliases }) =>
    versions.toReversed().map((record) => {
      const { test } = record.metrics;
      return [
        `${name}@${record.version}`,
        record.createdAt.slice(0, 16).replace('T', ' '),
        record.detector,
        String(record.features.length),
        brief(test?.f1 ?? null),
        brief(test?.events?.f1 ?? null),
        brief(test?.alarmsPerDay ?? null),
        aliases
          .filter(({ version }) => version === record.version)
          .map(({ alias }) => alias)
          .join(', '),
      ];
    }),
  );
  return `${aligned([heads, ...rows], '').join('\n')}\n`;
}
