import { formatDuration } from '../../core/words.ts';
import type { ModelRecord } from '../../models/record.ts';
import type { Assessment } from '../../models/training/assess.ts';
import type { OpenedModel } from '../model-reference.ts';
import { ROBUSTNESS_HEADS, robustnessCells } from '../report/text.ts';
import { brief } from '../table.ts';
import { facts, list, paragraph, type Section, table } from './document.ts';
import { ethics, fairness, lacksAnomalies, limits } from './judgement.ts';

/** What a model is, what it learned from, how well it does, and what it must not be taken for. */
export function modelCard(opened: OpenedModel): Section[] {
  const { record } = opened;
  return [
    purpose(opened),
    data(opened),
    method(opened),
    ...(record === null ? [] : [performance(record), robustness(record)]),
    { title: 'Limits', blocks: [list(limits(opened))] },
    { title: 'Fairness across hosts', blocks: fairness(opened) },
    { title: 'Ethical notes', blocks: [list(ethics(opened.model.schema.map(({ name }) => name)))] },
    provenance(opened),
  ];
}

export const cardTitle = ({ shown, aliases }: OpenedModel): string =>
  aliases.length === 0 ? shown : `${shown} (${aliases.join(', ')})`;

function purpose({ record, model }: OpenedModel): Section {
  return {
    title: 'Purpose',
    blocks: [
      paragraph(
        record?.description?.replace(/\s+/g, ' ') ??
          'Its maker has not said what it is for (--description when it is trained or imported).',
      ),
      paragraph(
        `It says how unlike its past a host behaves, by ${model.schema.length} metrics, and alerts people to it. It does not say why, and it decides nothing by itself.`,
      ),
    ],
  };
}

const minute = (iso: string | null): string => (iso === null ? '–' : iso.slice(0, 16).replace('T', ' '));
const percent = (share: number): string => `${brief(100 * share)} %`;

function data({ record, model }: OpenedModel): Section {
  const { provenance } = model;
  const features = ['features', model.schema.map(({ name }) => name).join(', ')] as const;
  if (record === null || record.origin === 'imported') {
    const known: (readonly [string, string])[] =
      record === null
        ? [
            [
              'window',
              `${minute(iso(provenance.trainedFromMs))} to ${minute(iso(provenance.trainedToMs))} UTC`,
            ],
            ['rows', `${provenance.rows}, every ${formatDuration(provenance.intervalMs)}`],
          ]
        : [['window', 'not known: it was fitted elsewhere']];
    return { title: 'Data', blocks: [facts(...known, features)] };
  }
  const { rows, split } = record;
  return {
    title: 'Data',
    blocks: [
      facts(
        ['window', `${minute(record.data.from)} to ${minute(record.data.to)} UTC`],
        ['interval', formatDuration(record.data.intervalMs)],
        ...(rows === null
          ? []
          : [
              [
                'rows',
                `${rows.read} read, ${rows.used} used: ${rows.train} to train, ${rows.validation} to compare, ${rows.test} to test`,
              ] as const,
              ['left out', `${rows.leftOut} rows labelled as anomalies`] as const,
            ]),
        ...(split === null
          ? []
          : [
              [
                'split',
                `${[split.train, split.validation, split.test].map(percent).join(' / ')}, by time`,
              ] as const,
            ]),
        features,
      ),
      table(
        ['file', 'host', 'rows', 'from', 'to', 'bad rows'],
        record.data.files.map((file) => [
          file.file,
          file.host,
          String(file.rows),
          minute(file.from),
          minute(file.to),
          percent(file.violationRate),
        ]),
      ),
    ],
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();

const DETECTORS = {
  'metric-forests':
    'metric-forests: small isolation forests for each metric over its last minutes; the score is their mean, and each metric has its exact share in it.',
  'isolation-forest':
    'isolation-forest: the standard one (Liu, Ting, Zhou 2008) over all metrics at once, with no memory of earlier samples; explained by TreeSHAP of the path length.',
} as const;

function method({ record, model }: OpenedModel): Section {
  const forest = model.detector === 'metric-forests' ? model.forests : model.forest;
  const trees = typeof forest.trees === 'number' ? forest.trees : forest.trees.length;
  const rows: (readonly [string, string])[] = [['trees', `${trees} of ${forest.rowsPerTree} rows each`]];
  if (model.detector === 'metric-forests') {
    const { short, long } = model.features.windows;
    rows.push(['windows', `${short} and ${long} samples`]);
  }
  const byBudget = record === null ? model.contamination === null : record.threshold.by === 'budget';
  if (byBudget) rows.push(['alert budget', `${brief(model.budget.infoPerDay)} alarms a day`]);
  else
    rows.push(['contamination', model.contamination === null ? 'not known' : percent(model.contamination)]);
  if (record !== null && record.comparedBy !== null) {
    const many = record.compared.length;
    rows.push([
      'chosen',
      `by ${record.comparedBy}, among ${many} ${many === 1 ? 'candidate' : 'candidates'}`,
    ]);
  }
  const levels = Object.entries(record?.threshold.triggers ?? {});
  return {
    title: 'Method',
    blocks: [
      paragraph(DETECTORS[model.detector]),
      facts(...rows),
      ...(levels.length === 0
        ? []
        : [
            table(
              ['threshold', 'info', 'warning', 'critical', ''],
              levels.map(([trigger, { info, warning, critical, provisional }]) => [
                trigger,
                brief(info),
                brief(warning),
                brief(critical),
                provisional ? 'provisional' : '',
              ]),
            ),
          ]),
    ],
  };
}

const FIGURES: readonly (readonly [string, (a: Assessment) => number | null])[] = [
  ['precision', (a) => a.precision],
  ['recall', (a) => a.recall],
  ['F1', (a) => a.f1],
  ['ROC-AUC', (a) => a.rocAuc],
  ['average precision', (a) => a.averagePrecision],
  ['VUS-PR', (a) => a.vusPr],
  ['events found', (a) => a.events?.recall ?? null],
  ['event precision', (a) => a.events?.precision ?? null],
  ['event F1', (a) => a.events?.f1 ?? null],
  ['alarms a day', (a) => a.alarmsPerDay],
  ['false alarms a day', (a) => a.falseAlarmsPerDay],
  ['rows', (a) => a.rows],
  ['days', (a) => a.days],
];

function performance(record: ModelRecord): Section {
  const { metrics, rows } = record;
  const { validation, test } = metrics;
  if (validation === null && test === null) {
    return {
      title: 'Performance',
      blocks: [paragraph('Not measured. edgewood evaluate measures it on your data.')],
    };
  }
  const cell = (a: Assessment | null, of: (a: Assessment) => number | null): string =>
    brief(a === null ? null : of(a));
  const labelled = test !== null && test.precision !== null;
  const against = labelled
    ? 'Against the labels of the data'
    : lacksAnomalies(record)
      ? 'No labelled anomaly in the compare and test rows: what stands as – cannot be known'
      : 'The data had no labels: what stands as – nobody can know';
  return {
    title: 'Performance',
    blocks: [
      table(
        ['', 'validation', 'test'],
        FIGURES.map(([name, of]) => [name, cell(validation, of), cell(test, of)]),
      ),
      paragraph(
        `${against}; the test rows${rows === null ? '' : ` (the last ${rows.test})`} were used for nothing else.`,
      ),
    ],
  };
}

function robustness({ metrics, robustness: disturbed }: ModelRecord): Section {
  const injected = Object.entries(metrics.test?.injected ?? {});
  if (injected.length === 0 && disturbed.length === 0) {
    return { title: 'Robustness', blocks: [paragraph('Not measured here: edgewood evaluate.')] };
  }
  return {
    title: 'Robustness',
    blocks: [
      table(
        ['injected into the test rows', 'faults', 'caught', 'recall'],
        injected.map(([kind, { faults, caught, recall }]) => [
          kind,
          String(faults),
          String(caught),
          faults === 0 ? '–' : brief(recall),
        ]),
      ),
      paragraph('The test rows disturbed, against the same rows undisturbed:'),
      table(ROBUSTNESS_HEADS, disturbed.map(robustnessCells)),
    ],
  };
}

function provenance({ record, model, sha256, bytes }: OpenedModel): Section {
  const common = [
    ['sha256', sha256],
    ['bytes', String(bytes.length)],
    ['made by', `edgewood ${model.provenance.toolVersion}`],
  ] as const;
  if (record === null) {
    return {
      title: 'Provenance',
      blocks: [
        facts(
          ['name', `${model.provenance.name} ${model.provenance.version}`.trim()],
          ...common,
          ['seed', String(model.provenance.seed)],
          ['data sha256', model.provenance.dataSha256],
        ),
      ],
    };
  }
  return {
    title: 'Provenance',
    blocks: [
      facts(
        ['created', `${record.createdAt}, ${record.origin}`],
        ...common,
        ...(record.origin === 'imported'
          ? []
          : ([
              ['seed', String(record.seed)],
              ['data sha256', record.data.sha256],
              ['took', formatDuration(record.durationMs)],
            ] as const)),
      ),
    ],
  };
}
