import { readFileSync, statSync } from 'node:fs';
import { parseDurationMs } from '../../../agent/units.ts';
import { DumpError } from '../../../models/exchange/dump-reader.ts';
import { type ForestDump, MAX_DUMP_BYTES, parseForestDump } from '../../../models/exchange/forest-dump.ts';
import { importForest } from '../../../models/exchange/import.ts';
import { checkName } from '../../../models/registry/names.ts';
import { Exit, UserError } from '../../errors.ts';
import { withRegistry } from '../../registry.ts';
import { BUILD } from '../../version.ts';

export interface ImportOptions {
  readonly file: string;
  readonly name: string;
  readonly features?: string | undefined;
  readonly interval: string;
  readonly description?: string | undefined;
  readonly why?: string | undefined;
  readonly registry?: string | undefined;
  readonly json: boolean;
}

const DAY_MS = 86_400_000;

export async function run(args: ImportOptions): Promise<number> {
  checkName(args.name);
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
      const record = registry.register(args.name, args.why ?? null, (version, createdAt) =>
        importForest(dump, { ...facts, version, createdAt }),
      );
      process.stdout.write(
        args.json
          ? `${JSON.stringify(record)}\n`
          : `${record.name}@${record.version}: ${record.parameters.trees} trees over ${record.features.join(', ')}; see edgewood models show ${record.name}@${record.version}\n`,
      );
      return Exit.done;
    });
  } catch (error) {
    throw error instanceof DumpError ? new UserError(`${args.file}: ${error.message}.`) : error;
  }
}

function readDump(path: string): ForestDump {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > MAX_DUMP_BYTES) {
      throw new UserError(`${path} has ${size} bytes, at most ${MAX_DUMP_BYTES} are read`);
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
  return parseForestDump(text);
}

const NAME_LENGTH = 128;

function namesOf(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  const bad = names.find((name, i) => name === '' || name.length > NAME_LENGTH || names.indexOf(name) !== i);
  if (bad === undefined) return names;
  throw new UserError(
    `--features: expected different names parted by commas, found ${JSON.stringify(bad.slice(0, NAME_LENGTH))}`,
  );
}
