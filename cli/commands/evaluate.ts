import { readFileSync, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { parse as parseYaml } from 'yaml';
import type { Model } from '../../core/model.ts';
import { artifactSha256 } from '../../models/artifact.ts';
import type { DataSchema } from '../../models/data/data-schema.ts';
import { readRecording } from '../../models/data/read.ts';
import type { Recording } from '../../models/data/recording.ts';
import { DataError } from '../../models/data/table.ts';
import { evaluate } from '../../models/evaluation/evaluation.ts';
import { applyGate, type Gate, gateOf } from '../../models/evaluation/gate.ts';
import { Exit, UserError } from '../errors.ts';
import { type EvaluatedModel, type EvaluationReport, reportDocument } from '../report/document.ts';
import { evaluationPage } from '../report/text.ts';
import { readModel } from './score.ts';
import { useColour } from './status.ts';

export interface EvaluateOptions {
  readonly model: string;
  readonly files: readonly string[];
  readonly against?: string | undefined;
  readonly gate?: string | undefined;
  readonly html?: string | undefined;
  readonly seed: number;
  readonly robustness: boolean;
  readonly 'max-violations': number;
  readonly json: boolean;
}

export async function run(args: EvaluateOptions): Promise<number> {
  if (!Number.isSafeInteger(args.seed)) throw new UserError('--seed: expected a whole number');
  const rate = args['max-violations'] / 100;
  if (!(rate >= 0 && rate <= 1)) throw new UserError('--max-violations: expected percent, from 0 to 100');
  if (args.gate !== undefined && !args.robustness && readGate(args.gate).otherVerdicts.size > 0) {
    throw new UserError('--no-robustness: the gate has conditions on otherVerdicts, which it leaves out');
  }
  try {
    const gate = args.gate === undefined ? null : readGate(args.gate);
    const model = open(args.model);
    const against = args.against === undefined ? null : open(args.against);
    const recordings: Recording[] = [];
    for (const file of args.files) recordings.push(await read(file, [model, against], rate));
    const progress = progressLine();
    const evaluation = evaluate(
      {
        model: model.model,
        against: against?.model ?? null,
        recordings: distinct(recordings),
        seed: args.seed,
        robustness: args.robustness,
        onProgress: progress.show,
      },
      () => performance.now() * 1000,
    );
    progress.clear();
    const verdict =
      gate === null ? null : applyGate(gate, { ...evaluation, modelBytes: model.bytes.byteLength });
    const report: EvaluationReport = { model, against, evaluation, gate: verdict, seed: args.seed };
    if (args.html !== undefined) {
      // Plots and their library are for this alone.
      const { renderHtml } = await import('../report/html.ts');
      write(args.html, renderHtml(report));
    }
    process.stdout.write(
      args.json ? `${JSON.stringify(reportDocument(report))}\n` : `${evaluationPage(report, useColour())}\n`,
    );
    if (args.html !== undefined) process.stderr.write(`edgewood: report written to ${args.html}\n`);
    return verdict === null || verdict.passed ? Exit.done : Exit.checkSaysNo;
  } catch (error) {
    throw error instanceof DataError ? new UserError(error.message) : error;
  }
}

function open(reference: string): EvaluatedModel {
  const model = readModel(reference);
  const bytes = readFileSync(reference);
  return { model, bytes, sha256: artifactSha256(bytes), shown: reference };
}

async function read(
  file: string,
  models: readonly (EvaluatedModel | null)[],
  maxViolationRate: number,
): Promise<Recording> {
  const schema = dataSchemaOfModels(models.flatMap((one) => (one === null ? [] : [one.model])));
  const { recording, report } = await readRecording(file, { schema, maxViolationRate, features: null });
  if (report.verdict === 'fail' || recording === null) {
    throw new UserError(
      `${report.file} is not fit to judge a model by: ${report.reasons.join('; ')}. See edgewood validate.`,
    );
  }
  return recording;
}

/** What a column must be follows from the unit under which a model knows it. */
const dataSchemaOfModels = (models: readonly Model[]): DataSchema =>
  new Map(
    models
      .flatMap(({ schema }) => schema)
      .map(({ name, unit }) => [
        name,
        { required: false, min: unit === 'value' ? null : 0, max: unit === 'percent' ? 100 : null },
      ]),
  );

/** Files of one name in several folders are told apart. */
function distinct(recordings: readonly Recording[]): Recording[] {
  const seen = new Map<string, number>();
  return recordings.map((recording) => {
    const count = (seen.get(recording.host) ?? 0) + 1;
    seen.set(recording.host, count);
    return count === 1 ? recording : { ...recording, host: `${recording.host} (${count})` };
  });
}

function readGate(path: string): Gate {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`${path}: can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
  let document: unknown;
  try {
    document = parseYaml(text);
  } catch (error) {
    throw new UserError(`${path}: ${(error as Error).message.split('\n')[0]}`);
  }
  try {
    return gateOf(document, path);
  } catch (error) {
    throw error instanceof DataError ? new UserError(error.message) : error;
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UserError(`${path}: can't be written (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** How far it is, on a terminal alone. */
function progressLine(): {
  show: (done: number, total: number, what: string) => void;
  clear: () => void;
} {
  if (!process.stderr.isTTY) return { show: () => {}, clear: () => {} };
  return {
    show: (done, total, what) => {
      process.stderr.write(`\r\u001b[K${Math.round((100 * done) / total)} %  ${what}`);
    },
    clear: () => {
      process.stderr.write('\r\u001b[K');
    },
  };
}
