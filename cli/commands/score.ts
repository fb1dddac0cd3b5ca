import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { printable } from '../../agent/log.ts';
import { INCIDENT_DEFAULTS } from '../../core/incident.ts';
import type { Model } from '../../core/model.ts';
import { Watcher } from '../../core/watcher.ts';
import { DataError } from '../../models/data/table.ts';
import {
  type CheckedRow,
  SPECIAL,
  type ValidationReport,
  validateFile,
} from '../../models/data/validation.ts';
import { schemaFor } from '../../models/training/assess.ts';
import { csvCell } from '../csv-cell.ts';
import { Exit, UserError } from '../errors.ts';
import { checkOutput, OUTPUT } from '../files.ts';
import { MODEL_FIRST, openModel } from '../model-reference.ts';
import { registryDirectory } from '../registry.ts';

export interface ScoreOptions {
  readonly model: string;
  readonly file: string;
  readonly explain: boolean;
  readonly out?: string | undefined;
  readonly registry?: string | undefined;
}

/** Lines are written in pieces of about this. */
const PIECE_CHARACTERS = 1 << 16;

/** `timestamp,score,anomaly`, row by row as they come: a file of any size in bounded memory. */
export async function run(args: ScoreOptions): Promise<number> {
  const { model } = openModel(args.model, registryDirectory(args.registry), MODEL_FIRST);
  checkOutput(args.out, OUTPUT.scores, [args.file]);
  const output = new Output(args.out);
  const scorer = new Scorer(model, args.explain, output);
  try {
    const report = await validateFile(
      args.file,
      // Whatever is a number is scored: a value out of its range is what a model is to find.
      { schema: new Map(), maxViolationRate: 1 },
      (row, names) => {
        if (scorer.rows === 0) meet(model, names, args);
        scorer.score(row, names);
      },
    );
    if (scorer.rows === 0) throw unread(report);
    output.finish();
    const lost = report.rows - scorer.rows;
    if (lost > 0)
      process.stderr.write(
        `edgewood: ${lost} of ${report.rows} rows were left out. ${firstOffence(report)}\n`,
      );
    return Exit.done;
  } catch (error) {
    throw error instanceof DataError ? new UserError(error.message) : error;
  } finally {
    output.close();
  }
}

/** @throws UserError where the file has nothing that the model knows */
function meet(model: Model, names: readonly string[], args: ScoreOptions): void {
  const missing = model.schema.filter(({ name }) => !names.includes(name)).map(({ name }) => name);
  if (missing.length === model.schema.length) {
    throw new UserError(`${args.file} has none of the metrics of ${args.model} (${missing.join(', ')})`);
  }
  if (missing.length > 0) {
    process.stderr.write(
      `edgewood: ${args.file} lacks ${missing.map(printable).join(', ')}: scored as missing\n`,
    );
  }
}

function unread(report: ValidationReport): UserError {
  const why =
    report.rows === 0 ? 'there is no row behind the header.' : `no row can be read. ${firstOffence(report)}`;
  return new UserError(`${report.file}: ${why}`);
}

function firstOffence({ offences }: ValidationReport): string {
  const [first] = offences;
  if (first === undefined) return '';
  return `The first: line ${first.line}${first.column === null ? '' : `, ${printable(first.column)}`}: ${printable(first.reason)}.`;
}

/**
 * An anomaly is a sample at which a trigger is over its `info` threshold, before incidents are made of them. With
 * `explain`, base_value and the contributions (exact Shapley values) add up to `explained`: the score itself under
 * metric-forests, the negated mean path length under an isolation forest.
 */
class Scorer {
  rows = 0;
  readonly #model: Model;
  readonly #explain: boolean;
  readonly #output: Output;
  readonly #contributions: Float64Array;
  #watcher: Watcher | null = null;

  constructor(model: Model, explain: boolean, output: Output) {
    this.#model = model;
    this.#explain = explain;
    this.#output = output;
    this.#contributions = new Float64Array(model.schema.length);
  }

  score(row: CheckedRow, names: readonly string[]): void {
    this.#watcher ??= this.#begin(names);
    const { detector, alarm } = this.#watcher;
    const score = this.#watcher.warm(row);
    const anomaly = alarm.readings.some(({ value, thresholds }) => value > thresholds.info);
    let line = `${new Date(row.timeMs).toISOString()},${text(score)},${anomaly ? 1 : 0}`;
    if (this.#explain) {
      detector.contributions(this.#contributions);
      line += `,${detector.baseValue},${Array.from(this.#contributions, text).join(',')},${text(detector.explained())}`;
    }
    this.rows++;
    this.#output.line(line);
  }

  #begin(names: readonly string[]): Watcher {
    const metrics = this.#model.schema.map(({ name }) => csvCell(`contribution_${name}`));
    const more = this.#explain ? ['base_value', ...metrics, 'explained'] : [];
    this.#output.line(['timestamp', 'score', 'anomaly', ...more].join(','));
    // In the row's own order; what is no metric is not in the model, and is not looked at.
    const schema = schemaFor(
      this.#model,
      names.map((name) => (SPECIAL.has(name) ? '' : name)),
    );
    return new Watcher(this.#model, schema, INCIDENT_DEFAULTS);
  }
}

/** Missing is an empty cell. */
const text = (x: number): string => (Number.isFinite(x) ? String(x) : '');

const isDevice = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === false;

/** Standard output or a file, written at once: rows never pile up in memory behind a slow reader. */
class Output {
  readonly #path: string | undefined;
  /** Beside it, then renamed: what was there before is lost to nothing but what is whole. */
  readonly #part: string;
  #file: number | null = null;
  #piece = '';

  constructor(path: string | undefined) {
    this.#path = path;
    this.#part = path === undefined || isDevice(path) ? (path ?? '') : `${path}.${process.pid}.part`;
    if (path !== undefined) this.#file = this.#try(() => openSync(this.#part, 'w'));
  }

  line(text: string): void {
    this.#piece += `${text}\n`;
    if (this.#piece.length > PIECE_CHARACTERS) this.end();
  }

  end(): void {
    const piece = this.#piece;
    const file = this.#file;
    this.#piece = '';
    // Node writes to files, pipes and terminals synchronously on Linux.
    if (file === null) process.stdout.write(piece);
    else this.#try(() => writeSync(file, piece));
  }

  /** All of it is there. */
  finish(): void {
    this.end();
    const path = this.#path;
    if (path !== undefined && path !== this.#part) this.#try(() => renameSync(this.#part, path));
  }

  close(): void {
    if (this.#file === null) return;
    closeSync(this.#file);
    this.#file = null;
    if (this.#part !== this.#path) rmSync(this.#part, { force: true });
  }

  #try<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw new UserError(`${this.#path}: can't be written (${(error as NodeJS.ErrnoException).code})`);
    }
  }
}
