import type { ListedModel } from '../../../models/registry/registry.ts';
import type { Assessment } from '../../../models/training/assess.ts';
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

/** Share of the faults injected into the test rows that it caught: known without labels, too. */
function injectedRecall(test: Assessment | null): number | null {
  const kinds = Object.values(test?.injected ?? {});
  const faults = kinds.reduce((sum, kind) => sum + kind.faults, 0);
  return faults === 0 ? null : kinds.reduce((sum, kind) => sum + kind.caught, 0) / faults;
}

/** Figures on the test rows by which versions are compared. */
const FIGURES: readonly (readonly [string, (test: Assessment | null) => number | null])[] = [
  ['F1', (test) => test?.f1 ?? null],
  ['event F1', (test) => test?.events?.f1 ?? null],
  ['injected caught', injectedRecall],
  ['alarms/day', (test) => test?.alarmsPerDay ?? null],
];

/** A line for each version, the newest first; of the figures, those that any version has. */
export function page(models: readonly ListedModel[], directory: string): string {
  if (models.length === 0) return `${directory} is empty. edgewood train puts a model there.\n`;
  const tests = models.flatMap(({ versions }) => versions.map(({ metrics }) => metrics.test));
  const figures = FIGURES.filter(([, of]) => tests.some((test) => of(test) !== null));
  const heads = ['model', 'created', 'detector', 'features', ...figures.map(([head]) => head), 'aliases'];
  const rows = models.flatMap(({ name, versions, aliases }) =>
    versions.toReversed().map((record) => [
      `${name}@${record.version}`,
      record.createdAt.slice(0, 16).replace('T', ' '),
      record.detector,
      String(record.features.length),
      ...figures.map(([, of]) => brief(of(record.metrics.test))),
      aliases
        .filter(({ version }) => version === record.version)
        .map(({ alias }) => alias)
        .join(', '),
    ]),
  );
  return `${aligned([heads, ...rows], '').join('\n')}\n`;
}
