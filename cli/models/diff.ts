import { NEVER } from '../../core/model.ts';
import type { Assessment } from '../../models/training/assess.ts';
import type { OpenedModel } from '../model-reference.ts';
import { brief } from '../table.ts';
import { list, type Section, table } from './document.ts';

type Value = string | number | null;
type Facts = Readonly<Record<string, Value>>;

export interface Difference {
  readonly key: string;
  readonly a: Value;
  readonly b: Value;
  /** b - a, where both are numbers. */
  readonly change: number | null;
}

export interface ModelDiff {
  readonly a: string;
  readonly b: string;
  readonly identical: boolean;
  readonly features: {
    readonly common: readonly string[];
    readonly onlyA: readonly string[];
    readonly onlyB: readonly string[];
    readonly order: 'same' | 'other';
  };
  readonly parameters: readonly Difference[];
  readonly thresholds: readonly Difference[];
  readonly data: readonly Difference[];
  /** Those that both or either have, differing or not. */
  readonly metrics: readonly Difference[];
}

export function diffModels(a: OpenedModel, b: OpenedModel): ModelDiff {
  const names = [a, b].map(({ model }) => model.schema.map(({ name }) => name)) as [string[], string[]];
  const common = names[0].filter((name) => names[1].includes(name));
  return {
    a: a.shown,
    b: b.shown,
    identical: a.sha256 === b.sha256,
    features: {
      common,
      onlyA: names[0].filter((name) => !common.includes(name)),
      onlyB: names[1].filter((name) => !common.includes(name)),
      order: common.join() === names[1].filter((name) => common.includes(name)).join() ? 'same' : 'other',
    },
    parameters: differing(parametersOf(a), parametersOf(b)),
    thresholds: differing(thresholdsOf(a), thresholdsOf(b)),
    data: differing(dataOf(a), dataOf(b)),
    metrics: compared(metricsOf(a), metricsOf(b)),
  };
}

function compared(a: Facts, b: Facts): Difference[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => {
    const [left, right] = [a[key] ?? null, b[key] ?? null];
    const change = typeof left === 'number' && typeof right === 'number' ? right - left : null;
    return { key, a: left, b: right, change };
  });
}

const differing = (a: Facts, b: Facts): Difference[] => compared(a, b).filter((one) => one.a !== one.b);

function parametersOf({ model }: OpenedModel): Facts {
  const forest = model.detector === 'metric-forests' ? model.forests : model.forest;
  const windows = model.detector === 'metric-forests' ? model.features.windows : null;
  return {
    detector: model.detector,
    trees: typeof forest.trees === 'number' ? forest.trees : forest.trees.length,
    rowsPerTree: forest.rowsPerTree,
    windowShort: windows?.short ?? null,
    windowLong: windows?.long ?? null,
    budgetPerDay: model.budget.infoPerDay,
    contamination: model.contamination,
    seed: model.provenance.seed,
    toolVersion: model.provenance.toolVersion,
  };
}

function thresholdsOf({ model }: OpenedModel): Facts {
  return Object.fromEntries(
    Object.entries(model.thresholds).flatMap(([trigger, levels]) =>
      (['info', 'warning', 'critical'] as const).map((level): [string, Value] => {
        const threshold = (levels as Record<typeof level, number>)[level];
        return [`${trigger}.${level}`, threshold < NEVER ? threshold : null];
      }),
    ),
  );
}

function dataOf({ model, record }: OpenedModel): Facts {
  const { provenance, hosts } = model;
  const files = record?.data.files ?? [];
  const known = record?.origin !== 'imported';
  return {
    from: known ? new Date(provenance.trainedFromMs).toISOString() : null,
    to: known ? new Date(provenance.trainedToMs).toISOString() : null,
    rows: provenance.rows,
    intervalMs: provenance.intervalMs,
    sha256: provenance.dataSha256,
    files: files.length === 0 ? null : files.map(({ file }) => file).join(', '),
    hosts: hosts.length === 0 ? null : hosts.map(({ host }) => host).join(', '),
  };
}

function metricsOf({ record }: OpenedModel): Facts {
  const part = (name: string, assessment: Assessment | null): [string, Value][] => {
    if (assessment === null) return [];
    const { injected, events, ...plain } = assessment;
    const numbers: [string, Value][] = Object.entries(plain).map(([key, value]) => [`${name}.${key}`, value]);
    for (const [key, value] of Object.entries(events ?? {})) numbers.push([`${name}.events.${key}`, value]);
    for (const [kind, { recall }] of Object.entries(injected))
      numbers.push([`${name}.injected.${kind}`, recall]);
    return numbers.filter(([, value]) => value !== null);
  };
  const { validation = null, test = null } = record?.metrics ?? {};
  return Object.fromEntries([...part('validation', validation), ...part('test', test)]);
}

/** For a person: what differs, and of the metrics all. */
export function diffSections(diff: ModelDiff): Section[] {
  const { features } = diff;
  const words = (value: Value): string => (typeof value === 'number' ? brief(value) : (value ?? '–'));
  const signed = (change: number | null): string =>
    change === null || change === 0 ? '' : `${change > 0 ? '+' : ''}${brief(change)}`;
  const part = (title: string, rows: readonly Difference[], none: string): Section => ({
    title,
    blocks: [
      rows.length === 0
        ? list([none])
        : table(
            ['', diff.a, diff.b, 'change'],
            rows.map(({ key, a, b, change }) => [key, words(a), words(b), signed(change)]),
          ),
    ],
  });
  const featureLines = [
    ...(features.onlyA.length === 0 ? [] : [`only ${diff.a}: ${features.onlyA.join(', ')}`]),
    ...(features.onlyB.length === 0 ? [] : [`only ${diff.b}: ${features.onlyB.join(', ')}`]),
    ...(features.common.length === 0 ? [] : [`both: ${features.common.join(', ')}`]),
    ...(features.order === 'same' ? [] : ['in another order']),
  ];
  return [
    { title: 'Features', blocks: [list(featureLines)] },
    part('Parameters', diff.parameters, 'the same'),
    part('Thresholds', diff.thresholds, 'the same'),
    part('Data', diff.data, 'the same'),
    part('Metrics', diff.metrics, 'neither has any'),
  ];
}
