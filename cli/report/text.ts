import { printable } from '../../agent/log.ts';
import { FAULT_KINDS, type FaultKind } from '../../core/evaluation/faults.ts';
import { formatDuration } from '../../core/words.ts';
import { type Difference, MEASURE_WORDS } from '../../models/evaluation/comparison.ts';
import type { DisturbedFigures } from '../../models/evaluation/robustness.ts';
import type { Assessment } from '../../models/training/assess.ts';
import { paint } from '../alert-view.ts';
import { aligned, brief } from '../table.ts';
import type { EvaluationReport } from './document.ts';

/** The evaluation for a terminal: verdicts first. */
export function evaluationPage(report: EvaluationReport, colour: boolean): string {
  const { model, against, evaluation, gate } = report;
  const { provenance, detector } = model.model;
  const heading = (text: string): string => paint('1', text, colour);
  const lines = [
    `${heading(printable(model.given))}: ${printable(provenance.name)}, ${detector}, ${model.bytes.byteLength} bytes, sha256 ${model.sha256.slice(0, 12)}`,
  ];
  if (gate !== null) {
    lines.push(paint(gate.passed ? '32' : '31', gate.passed ? '✓ gate passed' : '✗ gate failed', colour));
    for (const { condition, bound, found, met, detail } of gate.conditions) {
      if (!met)
        lines.push(`  ${condition}: ${found === null ? detail : `${brief(found)}, ${detail} ${bound}`}`);
    }
  }
  if (against !== null && evaluation.comparison !== null) {
    const { outcome, verdict, caveat } = evaluation.comparison;
    const but = caveat === null ? '' : `, ${paint('33', printable(`but ${caveat}`), colour)}`;
    lines.push(
      `against ${printable(against.given)}: ${paint(outcomeColour(outcome), verdict, colour)}${but}`,
    );
  }
  lines.push(...evaluation.notes.map((note) => `${paint('33', 'note', colour)} ${printable(note)}`));
  lines.push('', heading('test'), ...metricsTable(report));
  if (against !== null && evaluation.comparison !== null) {
    const { differences, level } = evaluation.comparison;
    lines.push(
      '',
      heading(`difference, ${level * 100} % interval`),
      ...aligned([
        ['measure', 'this', printable(against.given), 'difference', 'from', 'to', ''],
        ...differences.map((one) => [
          MEASURE_WORDS[one.measure],
          ...[one.value, one.other, one.difference, one.low, one.high].map(brief),
          one.outcome,
        ]),
      ]),
    );
  }
  if (evaluation.robustness.length > 0) {
    lines.push(
      '',
      heading('robustness, against the same rows undisturbed'),
      ...robustnessTable(evaluation.robustness),
    );
  }
  const { score, explained } = evaluation.latency;
  lines.push(
    '',
    heading('latency, microseconds a row'),
    ...aligned([
      ['', 'p50', 'p95', 'p99'],
      ['score', ...[score.p50Us, score.p95Us, score.p99Us].map(brief)],
      ['with explanation', ...[explained.p50Us, explained.p95Us, explained.p99Us].map(brief)],
    ]),
    '',
    heading('drift from the training data (Kolmogorov-Smirnov D)'),
    ...aligned([
      ['metric', 'D', 'missing'],
      ...evaluation.drift.map(({ name, distance, missing }) => [
        printable(name),
        brief(distance),
        percent(missing),
      ]),
    ]),
  );
  return lines.join('\n');
}

export const outcomeColour = (outcome: string): string =>
  outcome === 'better' ? '32' : outcome === 'no difference shown' ? '0' : outcome === 'worse' ? '31' : '33';

const percent = (share: number): string => `${brief(100 * share)} %`;

const FAULT_WORDS: Readonly<Record<FaultKind, string>> = {
  spike: 'spikes',
  levelShift: 'level shifts',
  ramp: 'ramps',
  stuck: 'stuck sensors',
  lost: 'lost rows',
};

/** Measures of an assessment, as they are named everywhere. */
export const ASSESSMENT_ROWS: readonly (readonly [string, (a: Assessment) => string])[] = [
  ['rows', (a) => String(a.rows)],
  ['days', (a) => brief(a.days)],
  ['AUC-PR', (a) => brief(a.averagePrecision)],
  ['VUS-PR', (a) => brief(a.vusPr)],
  ['ROC-AUC', (a) => brief(a.rocAuc)],
  ['precision by row', (a) => brief(a.precision)],
  ['recall by row', (a) => brief(a.recall)],
  ['F1 by row', (a) => brief(a.f1)],
  ['labelled segments found', (a) => (a.events === null ? '–' : `${a.events.found} of ${a.events.segments}`)],
  ['event recall', (a) => brief(a.events?.recall ?? null)],
  ['event precision', (a) => brief(a.events?.precision ?? null)],
  ['event F1', (a) => brief(a.events?.f1 ?? null)],
  [
    'median delay',
    (a) => (a.events === null || a.events.delayMs === null ? '–' : formatDuration(a.events.delayMs)),
  ],
  ['alarms a day', (a) => brief(a.alarmsPerDay)],
  ['false alarms a day', (a) => brief(a.falseAlarmsPerDay)],
  ['rows flagged', (a) => percent(a.flaggedShare)],
  ...FAULT_KINDS.map(
    (kind) =>
      [
        `injected ${FAULT_WORDS[kind]} told`,
        (a: Assessment) => {
          const figures = a.injected[kind];
          return figures === undefined || figures.faults === 0
            ? '–'
            : `${figures.caught} of ${figures.faults}`;
        },
      ] as const,
  ),
];

/** All files together, each of several, and the other model. */
export function assessmentColumns({ against, evaluation }: EvaluationReport): [string, Assessment][] {
  const { metrics, files, otherMetrics } = evaluation;
  const [only] = files;
  const columns: [string, Assessment][] =
    files.length === 1 && only !== undefined
      ? [[only.host, metrics]]
      : [['all files', metrics], ...files.map((file): [string, Assessment] => [file.host, file.metrics])];
  if (against !== null && otherMetrics !== null) columns.push([against.given, otherMetrics]);
  return columns;
}

function metricsTable(report: EvaluationReport): string[] {
  const columns = assessmentColumns(report);
  return aligned([
    ['', ...columns.map(([name]) => printable(name))],
    ...ASSESSMENT_ROWS.map(([name, of]) => [name, ...columns.map(([, figures]) => of(figures))]),
  ]);
}

const signed = (x: number | null): string => (x === null ? '–' : x > 0 ? `+${brief(x)}` : brief(x));

export const ROBUSTNESS_HEADS = [
  'disturbance',
  'alarms a day',
  'other verdicts',
  'score moves by',
  'AUC-PR',
  'ROC-AUC',
  'event F1',
] as const;

export const robustnessCells = (one: DisturbedFigures): string[] => [
  printable(one.name),
  brief(one.alarmsPerDay),
  percent(one.otherVerdicts),
  brief(one.meanScoreChange),
  signed(one.change.averagePrecision),
  signed(one.change.rocAuc),
  signed(one.change.eventF1),
];

const robustnessTable = (figures: readonly DisturbedFigures[]): string[] =>
  aligned([ROBUSTNESS_HEADS, ...figures.map(robustnessCells)]);

/** `+0.031 (0.012 to 0.05)`. */
export const differenceWords = ({ difference, low, high }: Difference): string =>
  `${signed(difference)} (${brief(low)} to ${brief(high)})`;
