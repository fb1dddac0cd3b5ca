import { printable } from '../../agent/log.ts';
import { formatDuration } from '../../core/words.ts';
import type { ValidationReport } from '../../models/data/validation.ts';
import type { ModelRecord } from '../../models/record.ts';
import type { Assessment } from '../../models/training/assess.ts';
import { candidateWords } from '../../models/training/candidates.ts';
import { paint } from '../alert-view.ts';
import { aligned, brief } from '../table.ts';

const COMPARED_BY = {
  labels: 'labels, the mean of event F1 and AUC-PR',
  'injected faults': 'injected faults, the mean recall of spikes and of level shifts',
} as const;
/** Candidates shown; all are in the JSON. */
const CANDIDATES_SHOWN = 12;

/** Why nothing was trained, and where to look. */
export function refusalPage(refused: readonly ValidationReport[]): string {
  return refused
    .map(({ file, reasons, offences }) => {
      const [first] = offences;
      const where =
        first === undefined
          ? ''
          : ` First: line ${first.line}${first.column === null ? '' : `, ${printable(first.column)}`}: ${printable(first.reason)}.`;
      const other = reasons.some((reason) => /^the column .* is missing$/.test(reason))
        ? ' Name the columns to learn from with --features, or describe them with --schema.'
        : ' See edgewood validate.';
      return `edgewood: ${printable(file)}: not fit to learn from: ${printable(reasons.join('; '))}.${where}${other}\n`;
    })
    .join('');
}

/** What came of a training: the model first, then how it was chosen, then what it is worth. */
/** @param alias what was given, and which version had it before */
export function trainingPage(
  record: ModelRecord,
  colour: boolean,
  alias: { readonly name: string; readonly from: number | null } | null,
): string {
  const { rows, metrics, comparedBy, compared, durationMs } = record;
  const head = `${record.name}@${record.version}`;
  const chosen = JSON.stringify(record.parameters);
  const lines = [
    `${paint('32', '✓ registered', colour)}  ${paint('1', head, colour)}: ${candidateWords(record.parameters)}`,
    `  ${record.bytes} bytes, sha256 ${record.sha256.slice(0, 12)}, ${formatDuration(durationMs)}`,
    `  ${rows?.train} rows to train, ${rows?.validation} to compare, ${rows?.test} to test; ${record.features.length === 1 ? '1 metric' : `${record.features.length} metrics`}, every ${formatDuration(record.data.intervalMs)}, ${record.data.from?.slice(0, 16)} to ${record.data.to?.slice(0, 16)}`,
    ...record.notes.map((note) => `  ${paint('33', 'note', colour)} ${printable(note)}`),
    ...(alias === null
      ? []
      : [
          `  ${record.name}@${alias.name}: ${alias.from === null ? 'nowhere' : `version ${alias.from}`} -> version ${record.version}`,
        ]),
    '',
    `  compared by ${COMPARED_BY[comparedBy ?? 'labels']}:`,
    ...aligned(
      [
        ['candidate', 'mean', 'alarms a day', 'fit'],
        ...[...compared]
          .sort((a, b) => b.objective - a.objective)
          .slice(0, CANDIDATES_SHOWN)
          .map((one) => [
            `${JSON.stringify(one.parameters) === chosen ? '→ ' : '  '}${candidateWords(one.parameters)}`,
            one.objective.toFixed(3),
            `${brief(one.validation.alarmsPerDay)}${one.withinBudget ? '' : ' (over budget)'}`,
            formatDuration(one.fitMs),
          ]),
      ],
      '    ',
    ),
    '    (→: the first that keeps its budget and is within 0.02 of the best)',
    '',
    ...assessmentTable([
      ['validation', metrics.validation],
      ['test', metrics.test],
    ]),
    '',
    `  Next: edgewood evaluate ${head} FILE --html report.html${alias === null ? `; edgewood models alias ${head} staging` : ''}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Metrics as rows, parts as columns; what nobody can know without labels is a dash. */
function assessmentTable(parts: readonly (readonly [string, Assessment | null])[]): string[] {
  const row = (name: string, of: (a: Assessment) => string): string[] => [
    name,
    ...parts.map(([, assessment]) => (assessment === null ? '–' : of(assessment))),
  ];
  const injected = (kind: keyof Assessment['injected']) => (a: Assessment) => {
    const figures = a.injected[kind];
    return figures === undefined ? '–' : `${figures.caught} of ${figures.faults}`;
  };
  return aligned([
    ['', ...parts.map(([name]) => name)],
    row('AUC-PR', (a) => brief(a.averagePrecision)),
    row('VUS-PR', (a) => brief(a.vusPr)),
    row('ROC-AUC', (a) => brief(a.rocAuc)),
    row('rows: precision', (a) => brief(a.precision)),
    row('rows: recall', (a) => brief(a.recall)),
    row('rows: F1', (a) => brief(a.f1)),
    row('events found', (a) => (a.events === null ? '–' : `${a.events.found} of ${a.events.segments}`)),
    row('events: F1', (a) => brief(a.events?.f1 ?? null)),
    row('alarms a day', (a) => brief(a.alarmsPerDay)),
    row('false alarms a day', (a) => brief(a.falseAlarmsPerDay)),
    row('injected spikes found', injected('spike')),
    row('injected level shifts', injected('levelShift')),
    row('injected ramps', injected('ramp')),
    row('stuck sensors', injected('stuck')),
    row('lost rows', injected('lost')),
  ]);
}
