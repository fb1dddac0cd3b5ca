import { printable } from '../../agent/log.ts';
import type { Recording } from '../../models/data/recording.ts';
import { DataError } from '../../models/data/table.ts';
import { compareDrift } from '../../models/drift/comparison.ts';
import { type DriftSource, sourceOfModel, sourceOfRecording } from '../../models/drift/source.ts';
import { Exit, UserError } from '../errors.ts';
import { checkOutput, OUTPUT, writeOutput } from '../files.ts';
import { namesModel, type OpenedModel, openModel } from '../model-reference.ts';
import { Progress } from '../progress.ts';
import { registryDirectory } from '../registry.ts';
import { type DriftReport, driftDocument } from '../report/drift-document.ts';
import { driftPage } from '../report/drift-text.ts';
import { readInputs } from '../training/inputs.ts';
import { useColour } from './status.ts';

export interface DriftOptions {
  readonly reference: string;
  readonly live: string;
  readonly registry?: string | undefined;
  readonly html?: string | undefined;
  readonly 'fail-on'?: number | undefined;
  readonly 'max-violations': number;
  readonly json: boolean;
}

/** Doubles kept of a recording (96 MB): 17 metrics at 5 s for a month. Windows have to be whole. */
const DRIFT_VALUES_MAX = 12 * 1024 * 1024;

export async function run(args: DriftOptions): Promise<number> {
  const failOn = args['fail-on'] ?? null;
  if (failOn !== null && !(Number.isInteger(failOn) && failOn >= 1 && failOn <= 10)) {
    throw new UserError('--fail-on: expected a severity, a whole number from 1 to 10 (docs/DRIFT.md)');
  }
  const rate = args['max-violations'] / 100;
  if (!(rate >= 0 && rate <= 1)) throw new UserError('--max-violations: expected percent, from 0 to 100');
  if (isStandardInput(args.reference) && isStandardInput(args.live)) {
    throw new UserError('REFERENCE and LIVE are both standard input, which can be read but once');
  }
  if (namesModel(args.live)) {
    throw new UserError(
      `LIVE is a recording, and ${printable(args.live)} names a model: edgewood drift ${printable(args.live)} RECORDING`,
    );
  }
  checkOutput(args.html, OUTPUT.page, [args.reference, args.live]);
  const progress = new Progress(!args.json);
  try {
    const model = namesModel(args.reference)
      ? openModel(args.reference, registryDirectory(args.registry))
      : null;
    const live = await read(args.live, rate, progress);
    const source =
      model === null
        ? sourceOfRecording(await read(args.reference, rate, progress), live.timesMs.length * live.intervalMs)
        : sourceOfModel(model.model);
    progress.note('comparing');
    const comparison = compareDrift(source, live);
    progress.end();
    const report: DriftReport = {
      reference: described(args.reference, source, model),
      source,
      live,
      comparison,
      failOn,
    };
    if (args.html !== undefined) {
      // Plots and their library are for this alone.
      const { renderDriftHtml } = await import('../report/drift-html.ts');
      writeOutput(args.html, renderDriftHtml(report));
    }
    process.stdout.write(
      args.json ? `${JSON.stringify(driftDocument(report))}\n` : `${driftPage(report, useColour())}\n`,
    );
    if (args.html !== undefined) process.stderr.write(`edgewood: report written to ${args.html}\n`);
    if (failOn === null) return Exit.done;
    if (comparison.severity === null) {
      throw new UserError(`--fail-on ${failOn}: there is no severity, as ${comparison.undecided}`);
    }
    return comparison.severity >= failOn ? Exit.checkSaysNo : Exit.done;
  } catch (error) {
    throw error instanceof DataError ? new UserError(error.message) : error;
  } finally {
    progress.end();
  }
}

/** The command line's parser gets - as the latter. */
const isStandardInput = (path: string): boolean => path === '-' || path === '/dev/stdin';

async function read(path: string, maxViolationRate: number, progress: Progress): Promise<Recording> {
  const { recordings, refused } = await readInputs(
    [path],
    // Whatever is a number counts: a value out of its range is what drift may look like.
    { schema: new Map(), maxViolationRate, features: null, valuesMax: DRIFT_VALUES_MAX },
    progress,
  );
  const [unfit] = refused;
  if (unfit !== undefined) {
    throw new UserError(
      `${unfit.file} is not fit to be compared: ${unfit.reasons.join('; ')}. See edgewood validate.`,
    );
  }
  const [recording] = recordings;
  if (recording === undefined || recording.timesMs.length === 0) {
    throw new UserError(`${path} holds no rows.`);
  }
  return recording;
}

const described = (
  path: string,
  { model }: DriftSource,
  opened: OpenedModel | null,
): DriftReport['reference'] =>
  model === null || opened === null
    ? { kind: 'recording', shown: isStandardInput(path) ? 'standard input' : path, sha256: null }
    : { kind: 'model', shown: opened.shown, sha256: opened.sha256 };
