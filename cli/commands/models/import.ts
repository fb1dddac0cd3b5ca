import { readFileSync, statSync } from 'node:fs';
import { parseDurationMs } from '../../../agent/units.ts';
import { DumpError } from '../../../models/exchange/dump-reader.ts';
import { type ForestDump, MAX_DUMP_BYTES, parseForestDump } from '../../../models/exchange/forest-dump.ts';
import { importForest } from '../../../models/exchange/import.ts';
import { checkAlias, checkName } from '../../../models/registry/names.ts';
import { Exit, UserError } from '../../errors.ts';
import { withRegistry } from '../../registry.ts';
import { BUILD } from '../../version.ts';

export interface ImportOptions {
  readonly file: string;
  readonly name: string;
  readonly features?: string | undefined;
  readonly interval: string;
  readonly description?: string | undefined;
  readonly alias?: string | undefined;
  readonly why?: string | undefined;
  readonly registry?: string | undefined;
  readonly json: boolean;
}

const DAY_MS = 86_400_000;

export async function run(args: ImportOptions): Promise<number> {
  checkName(args.name);
  if (args.alias !== undefined) checkAlias(args.alias);
  const features = args.features === undefined ? null : namesOf(args.features);
  const intervalMs = parseDurationMs(args.interval);
  if (intervalMs === null || intervalMs < 1 || intervalMs > DAY_MS) {
    throw new UserError(
      `--interval: expected a duration up to a day, e.g. 5s, found ${JSON.stringify(args.interval)}`,
    );
  }
  try {
    const dump = readDump(args.file);
    const facts = {
      name: args.name,
      features,
      intervalMs,
      description: args.description ?? null,
      toolVersion: BUILD.version,
    };
    // What is wrong with the names shows before there is a registry, not in it.
    importForest(dump, { ...facts, version: 1, createdAt: new Date(0).toISOString() });
    return withRegistry(args.registry, { create: true }, (registry) => {
      const why = args.why ?? null;
      const record = registry.register(args.name, why, (version, createdAt) =>
        importForest(dump, { ...facts, version, createdAt }),
      );
      if (args.alias !== undefined) registry.setAlias(args.name, args.alias, record.version, { why });
      const alias = args.alias === undefined ? '' : ` (${args.alias})`;
      process.stdout.write(
        args.json
          ? `${JSON.stringify(record)}\n`
          : `${record.name}@${record.version}${alias}: ${record.parameters.trees} trees over ${record.features.join(', ')}; see edgewood models show ${record.name}@${record.version}\n`,
      );
      return Exit.done;
    });
  } catch (error) {
    throw error instanceof DumpError ? new UserError(`${args.file}: ${error.message}.`) : error;
  }
}

function readDump(path: string): ForestDump {
  let bytes: Buffer;
  try {
    const { size } = statSync(path);
    if (size > MAX_DUMP_BYTES) {
      throw new UserError(`${path} has ${size} bytes, at most ${MAX_DUMP_BYTES} are read`);
    }
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
  if (isPickled(bytes)) {
    throw new UserError(
      `${path} is a joblib/pickle file: run docs/scikit_learn_export.py first, see docs/MODELS.md`,
    );
  }
  return parseForestDump(bytes.toString('utf8'));
}

/** pickle's protocol 2 and later, or what zip, gzip and joblib's zlib make of it: no JSON begins so. */
const PICKLED: readonly (readonly number[])[] = [[0x80], [0x50, 0x4b, 3, 4], [0x1f, 0x8b], [0x78]];

const isPickled = (bytes: Uint8Array): boolean =>
  PICKLED.some((head) => head.every((byte, i) => bytes[i] === byte));

const NAME_LENGTH = 128;

function namesOf(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  const bad = names.find((name, i) => name === '' || name.length > NAME_LENGTH || names.indexOf(name) !== i);
  if (bad === undefined) return names;
  throw new UserError(
    `--features: expected different names parted by commas, found ${JSON.stringify(bad.slice(0, NAME_LENGTH))}`,
  );
}
