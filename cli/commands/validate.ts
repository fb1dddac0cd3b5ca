import { printable } from '../../agent/log.ts';
import { formatDuration } from '../../core/words.ts';
import { type DataSchema, dataSchemaOf, HOST_DATA_SCHEMA } from '../../models/data/data-schema.ts';
import { DataError } from '../../models/data/table.ts';
import { type ValidationReport, validateFile } from '../../models/data/validation.ts';
import { paint } from '../alert-view.ts';
import { Exit, UserError } from '../errors.ts';
import { checkOutput, OUTPUT, readYaml, writeOutput } from '../files.ts';
import { aligned, bars, brief } from '../table.ts';
import { useColour } from './status.ts';

export interface ValidateOptions {
  readonly files: readonly string[];
  readonly schema?: string | undefined;
  readonly 'max-violations': number;
  readonly report?: string | undefined;
  readonly json: boolean;
}

export async function run(args: ValidateOptions): Promise<number> {
  const rate = args['max-violations'] / 100;
  if (!(rate >= 0 && rate <= 1)) throw new UserError('--max-violations: expected percent, from 0 to 100');
  try {
    checkOutput(args.report, OUTPUT.json, args.files);
    const schema = readSchema(args.schema);
    const reports: ValidationReport[] = [];
    for (const file of args.files) {
      const report = await validateFile(file, { schema, maxViolationRate: rate });
      reports.push(report);
      if (!args.json) process.stdout.write(`${page(report, useColour())}\n`);
    }
    const passed = reports.every(({ verdict }) => verdict === 'pass');
    const document =
      reports.length === 1 ? reports[0] : { verdict: passed ? 'pass' : 'fail', files: reports };
    if (args.json) process.stdout.write(`${JSON.stringify(document)}\n`);
    if (args.report !== undefined) writeOutput(args.report, `${JSON.stringify(document, null, 2)}\n`);
    return passed ? Exit.done : Exit.checkSaysNo;
  } catch (error) {
    throw error instanceof DataError ? new UserError(error.message) : error;
  }
}

/** @param path undefined: the schema of a host */
export function readSchema(path: string | undefined): DataSchema {
  if (path === undefined) return HOST_DATA_SCHEMA;
  return dataSchemaOf(readYaml(path), path);
}

/** What a person wants to know of a file, the verdict first. */
function page(report: ValidationReport, colour: boolean): string {
  const passed = report.verdict === 'pass';
  const verdict = paint(passed ? '32' : '31', passed ? '✓ pass' : '✗ fail', colour);
  const span =
    report.from === null || report.to === null
      ? ''
      : `, ${report.from.slice(0, 16)} to ${report.to.slice(0, 16)}`;
  const every = report.intervalMs === null ? '' : `, every ${formatDuration(report.intervalMs)}`;
  const lines = [
    `${verdict}  ${paint('1', printable(report.file), colour)}: ${report.rows} rows${span}${every}`,
    ...report.reasons.map((reason) => `  ${paint('31', 'because', colour)} ${printable(reason)}`),
    ...report.notes.map((note) => `  ${paint('33', 'note', colour)} ${printable(note)}`),
    '',
    ...columnTable(report),
    '',
    `  times: ${report.duplicates} duplicate (${report.duplicateRows} whole rows), ${report.outOfOrder} out of order, ${report.gaps} gaps, ${report.irregular} irregular intervals`,
  ];
  if (report.labelled !== null) {
    lines.push(`  labels: ${report.labelled.rows}, of them ${report.labelled.anomalous} anomalous`);
  }
  if (report.offences.length > 0) {
    lines.push('', `  ${report.violations} rows break a rule; the first:`);
    for (const { line, column, reason } of report.offences) {
      lines.push(`    line ${line}${column === null ? '' : `, ${printable(column)}`}: ${printable(reason)}`);
    }
  }
  return lines.join('\n');
}

function columnTable({ columns }: ValidationReport): string[] {
  const heads = [
    'column',
    'missing',
    'bad',
    'mean',
    'std',
    'min',
    'p25',
    'p50',
    'p75',
    'p95',
    'max',
    'outliers',
    'from min to max',
  ];
  const rows = Object.entries(columns).map(([name, column]) => [
    printable(name),
    String(column.missing),
    String(column.outOfRange + column.notNumeric + column.notFinite),
    ...[column.mean, column.std, column.min, column.p25, column.p50, column.p75, column.p95, column.max].map(
      brief,
    ),
    String(column.outliers),
    bars(column.histogram),
  ]);
  return aligned([heads, ...rows]);
}
