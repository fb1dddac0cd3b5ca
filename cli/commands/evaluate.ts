import { existsSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Model } from '../../core/model.ts';
import type { DataSchema } from '../../models/data/data-schema.ts';
import type { Recording } from '../../models/data/recording.ts';
import { DataError } from '../../models/data/table.ts';
import { evaluate } from '../../models/evaluation/evaluation.ts';
import { applyGate, type Gate, gateOf } from '../../models/evaluation/gate.ts';
import { Exit, UserError } from '../errors.ts';
import { checkOutput, OUTPUT, readYaml, writeOutput } from '../files.ts';
import { MODEL_FIRST, openModel, referenceOf } from '../model-reference.ts';
import { Progress } from '../progress.ts';
import { registryDirectory } from '../registry.ts';
import { type EvaluatedModel, type EvaluationReport, reportDocument } from '../report/document.ts';
import { evaluationPage } from '../report/text.ts';
import { readInputs } from '../training/inputs.ts';
import { useColour } from './status.ts';

export interface EvaluateOptions {
  readonly model: string;
  readonly registry?: string | undefined;
  readonly files: readonly string[];
  readonly host?: string | undefined;
  readonly against?: string | undefined;
  readonly gate?: string | undefined;
  readonly html?: string | undefined;
  readonly seed: number;
  readonly robustness: boolean;
  readonly 'max-violations': number;
  readonly json: boolean;
}

export async function run(args: EvaluateOptions): Promise<number> {
  const { host } = args;
  checkFiles(args);
  if (!Number.isSafeInteger(args.seed)) throw new UserError('--seed: expected a whole number');
  const rate = args['max-violations'] / 100;
  if (!(rate >= 0 && rate <= 1)) throw new UserError('--max-violations: expected percent, from 0 to 100');
  checkOutput(args.html, OUTPUT.page, args.files);
  const progress = new Progress(!args.json);
  try {
    const gate: Gate | null = args.gate === undefined ? null : gateOf(readYaml(args.gate), args.gate);
    if (gate !== null && !args.robustness && gate.otherVerdicts.size > 0) {
      throw new UserError('--no-robustness: the gate has conditions on otherVerdicts, which it leaves out');
    }
    const registry = registryDirectory(args.registry);
    const model = evaluated(args.model, registry, MODEL_FIRST);
    const against = args.against === undefined ? null : evaluated(args.against, registry, '');
    const schema = dataSchemaOfModels([model.model, ...(against === null ? [] : [against.model])]);
    const { recordings, refused } = await readInputs(
      args.files,
      { schema, maxViolationRate: rate, features: null },
      progress,
    );
    const [unfit] = refused;
    if (unfit !== undefined) {
      throw new UserError(
        `${unfit.file} is not fit to judge a model by: ${unfit.reasons.join('; ')}. See edgewood validate.`,
      );
    }
    const evaluation = evaluate(
      {
        model: model.model,
        against: against?.model ?? null,
        names: { model: model.given, against: against?.given ?? '' },
        recordings: distinct(host === undefined ? recordings : recordings.map((one) => ({ ...one, host }))),
        seed: args.seed,
        robustness: args.robustness,
        onProgress: (done, total, what) => progress.step(done, total, what),
      },
      () => performance.now() * 1000,
    );
    progress.end();
    const verdict =
      gate === null ? null : applyGate(gate, { ...evaluation, modelBytes: model.bytes.byteLength });
    const report: EvaluationReport = { model, against, evaluation, gate: verdict, seed: args.seed };
    if (args.html !== undefined) {
      // Plots and their library are for this alone.
      const { renderHtml } = await import('../report/html.ts');
      writeOutput(args.html, renderHtml(report));
    }
    process.stdout.write(
      args.json ? `${JSON.stringify(reportDocument(report))}\n` : `${evaluationPage(report, useColour())}\n`,
    );
    if (args.html !== undefined) process.stderr.write(`edgewood: report written to ${args.html}\n`);
    return verdict === null || verdict.passed ? Exit.done : Exit.checkSaysNo;
  } catch (error) {
    throw error instanceof DataError ? new UserError(error.message) : error;
  } finally {
    progress.end();
  }
}

/** @throws UserError where a file is a model, or one host is named for several files */
function checkFiles({ files, host }: EvaluateOptions): void {
  if (host === '') throw new UserError('--host: expected the name of a host');
  if (host !== undefined && files.length > 1) {
    throw new UserError('--host: says whose one file is, and there are several: name each after its host');
  }
  const misplaced = files.find((file) => referenceOf(file) !== null && !existsSync(file));
  if (misplaced !== undefined) {
    throw new UserError(`${misplaced} is no file; to compare with that model: --against ${misplaced} FILE`);
  }
}

function evaluated(text: string, registry: string, order: string): EvaluatedModel {
  const { model, bytes, sha256, record, shown } = openModel(text, registry, order);
  const given = record === null || text === shown ? shown : `${text} (version ${record.version})`;
  return { model, bytes, sha256, shown, given };
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
