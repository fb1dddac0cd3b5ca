import { parseRatePerDay } from '../../agent/units.ts';
import { DEFAULT_BUDGET, type DetectorKind } from '../../core/model.ts';
import { decodeModel } from '../../models/artifact.ts';
import { requiring } from '../../models/data/data-schema.ts';
import { DataError } from '../../models/data/table.ts';
import type { ModelRecord } from '../../models/record.ts';
import { checkAlias, checkName } from '../../models/registry/names.ts';
import type { Registry } from '../../models/registry/registry.ts';
import { type TrackingServer, trackingServerFrom } from '../../models/tracking/settings.ts';
import { type Candidate, candidatesOf, defaultGrid, gridOf } from '../../models/training/candidates.ts';
import type { Split } from '../../models/training/parts.ts';
import { type RecordFacts, toRecord } from '../../models/training/record.ts';
import { type TrainingResult, train } from '../../models/training/training.ts';
import { Exit, UserError } from '../errors.ts';
import { checkOutput, OUTPUT, readYaml, writeOutput } from '../files.ts';
import { cardTitle, modelCard } from '../models/card.ts';
import { toMarkdown } from '../models/document.ts';
import { Progress } from '../progress.ts';
import { openRegistry, registryDirectory } from '../registry.ts';
import { trackTraining } from '../tracking.ts';
import { readInputs } from '../training/inputs.ts';
import { refusalPage, trainingPage } from '../training/view.ts';
import { BUILD } from '../version.ts';
import { useColour } from './status.ts';
import { readSchema } from './validate.ts';

export interface TrainOptions {
  readonly files: readonly string[];
  readonly name: string;
  readonly registry?: string | undefined;
  readonly features?: string | undefined;
  readonly detector?: string | undefined;
  readonly seed: number;
  readonly split: string;
  readonly budget?: string | undefined;
  readonly contamination?: number | undefined;
  readonly grid?: string | undefined;
  readonly schema?: string | undefined;
  readonly 'max-violations': number;
  readonly alias?: string | undefined;
  readonly description?: string | undefined;
  readonly why?: string | undefined;
  readonly out?: string | undefined;
  readonly mlflow?: string | undefined;
  readonly json: boolean;
}

export async function run(args: TrainOptions): Promise<number> {
  const progress = new Progress(!args.json);
  try {
    return await trainAndRegister(args, progress);
  } catch (error) {
    throw error instanceof DataError ? new UserError(error.message) : error;
  } finally {
    progress.end();
  }
}

async function trainAndRegister(args: TrainOptions, progress: Progress): Promise<number> {
  const startedMs = performance.now();
  // Whatever usage can get wrong is told before an hour of work.
  checkName(args.name);
  if (args.alias !== undefined) checkAlias(args.alias);
  if (!Number.isSafeInteger(args.seed)) throw new UserError('--seed: expected a whole number');
  const candidates = candidatesFor(args);
  const split = parseSplit(args.split);
  const options = inputOptions(args);
  checkOutput(args.out, OUTPUT.model, args.files);
  const server = trackingServerFrom(args.mlflow, process.env);
  const directory = registryDirectory(args.registry);
  const registry = openRegistry(directory, { create: true });
  let registered: Registered;
  try {
    const inputs = await readInputs(args.files, options, progress);
    if (inputs.refused.length > 0) {
      progress.end();
      process.stderr.write(refusalPage(inputs.refused));
      if (args.json) {
        process.stdout.write(`${JSON.stringify({ registered: null, refused: inputs.refused })}\n`);
      }
      return Exit.checkSaysNo;
    }
    const result = train(
      {
        name: args.name,
        recordings: inputs.recordings,
        candidates,
        split,
        seed: args.seed,
        toolVersion: BUILD.version,
        notes: ignoredNotes(inputs.ignored),
        onProgress: (done, total, what) => progress.step(done, total, what),
      },
      () => performance.now(),
    );
    registered = register(registry, args, result, {
      files: inputs.files,
      split,
      description: args.description ?? null,
      durationMs: Math.round(performance.now() - startedMs),
    });
  } finally {
    registry.close();
  }
  const { record, bytes } = registered;
  if (args.out !== undefined) writeOutput(args.out, bytes);
  const told = server === null ? null : await track(registered, args, server, directory, progress);
  progress.end();
  process.stdout.write(
    args.json ? `${JSON.stringify(record)}\n` : trainingPage(record, useColour(), registered.alias),
  );
  if (told !== null) process.stderr.write(`edgewood: ${told}\n`);
  return Exit.done;
}

function ignoredNotes(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const [are, them] =
    names.length === 1
      ? ['is no metric of the schema and was', 'it']
      : ['are no metrics of the schema and were', 'them'];
  return [`${names.join(', ')} ${are} left out; name ${them} with --features to learn from ${them}`];
}

interface Registered {
  readonly alias: { readonly name: string; readonly from: number | null } | null;
  readonly record: ModelRecord;
  readonly bytes: Uint8Array;
}

function register(
  registry: Registry,
  args: TrainOptions,
  result: TrainingResult,
  facts: RecordFacts,
): Registered {
  const why = args.why ?? null;
  let bytes = new Uint8Array(0);
  const record = registry.register(args.name, why, (version, createdAt) => {
    const made = toRecord(result, facts, version, createdAt);
    bytes = Uint8Array.from(made.bytes);
    return made;
  });
  if (args.alias === undefined) return { record, bytes, alias: null };
  const { from } = registry.setAlias(args.name, args.alias, record.version, { why });
  return { record, bytes, alias: { name: args.alias, from } };
}

/** @returns what became of it at the tracking server, in a sentence */
function track(
  { record, bytes }: Registered,
  args: TrainOptions,
  server: TrackingServer,
  registry: string,
  progress: Progress,
): Promise<string> {
  const shown = `${record.name}@${record.version}`;
  const aliases = args.alias === undefined ? [] : [args.alias];
  const opened = { model: decodeModel(bytes), bytes, sha256: record.sha256, record, aliases, shown };
  return trackTraining(
    record,
    bytes,
    { modelCard: toMarkdown(cardTitle(opened), modelCard(opened)), aliases },
    { server, registry, onProgress: (what) => progress.note(`${server.url}: ${what}`) },
  );
}

function inputOptions(args: TrainOptions) {
  const maxViolationRate = args['max-violations'] / 100;
  if (!(maxViolationRate >= 0 && maxViolationRate <= 1)) {
    throw new UserError('--max-violations: expected percent, from 0 to 100');
  }
  const features = args.features?.split(',').map((name) => name.trim()) ?? null;
  if (features !== null && (features.includes('') || new Set(features).size !== features.length)) {
    throw new UserError(
      `--features: expected different names parted by commas, found ${JSON.stringify(args.features)}`,
    );
  }
  // Who names the columns needs no others.
  const schema =
    args.schema === undefined && features !== null ? requiring(features) : readSchema(args.schema);
  return { schema, maxViolationRate, features: features ?? ('schema' as const) };
}

const DETECTORS: Readonly<Record<string, readonly DetectorKind[]>> = {
  auto: ['metric-forests', 'isolation-forest'],
  'metric-forests': ['metric-forests'],
  'isolation-forest': ['isolation-forest'],
};

function candidatesFor(args: TrainOptions): Candidate[] {
  const detectors = DETECTORS[args.detector ?? 'auto'];
  if (detectors === undefined) {
    throw new UserError(`--detector: expected ${Object.keys(DETECTORS).join(', ')}, found ${args.detector}`);
  }
  const { contamination = null } = args;
  const budget = args.budget === undefined ? DEFAULT_BUDGET.infoPerDay : parseRatePerDay(args.budget);
  if (budget === null || !(budget > 0)) {
    throw new UserError(`--budget: expected a rate, e.g. 1/day, found ${JSON.stringify(args.budget)}`);
  }
  if (args.budget !== undefined && contamination !== null) {
    throw new UserError('--budget and --contamination: either decides how much is flagged; give one of them');
  }
  if (contamination !== null && !(contamination > 0 && contamination <= 0.5)) {
    throw new UserError('--contamination: expected a share above 0, up to 0.5');
  }
  const base = defaultGrid(detectors, budget, contamination);
  if (args.grid === undefined) return candidatesOf(base);
  const grid = gridOf(readYaml(args.grid), args.grid, base);
  for (const [option, given, key] of [
    ['--detector', args.detector, grid.detector !== base.detector],
    ['--budget', args.budget, grid.budgetPerDay !== base.budgetPerDay || grid.contamination !== null],
    ['--contamination', args.contamination, grid.contamination !== base.contamination],
  ] as const) {
    if (given !== undefined && key)
      throw new UserError(`${option}: ${args.grid} says it, too; give one of them`);
  }
  return candidatesOf(grid);
}

/** `70/15/15`: percent, or shares that add up to 1. */
function parseSplit(text: string): Split {
  const parts = text.split('/').map(Number);
  const sum = parts.reduce((a, b) => a + b, 0);
  if (parts.length !== 3 || !parts.every((part) => part > 0 && Number.isFinite(part))) {
    throw new UserError(
      `--split: expected TRAIN/VALIDATION/TEST, e.g. 70/15/15, found ${JSON.stringify(text)}`,
    );
  }
  if (Math.abs(sum - 100) > 1e-6 && Math.abs(sum - 1) > 1e-9) {
    throw new UserError(`--split: ${text} adds up to ${Number(sum.toPrecision(6))}, expected 100 (percent)`);
  }
  const [train = 0, validation = 0, test = 0] = parts.map((part) => part / sum);
  return { train, validation, test };
}
