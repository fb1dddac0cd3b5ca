import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { EXECUTABLE } from '../support/executable.ts';

/** What every proof and benchmark has in common: its file, and what it was measured with. */

const ROOT = join(import.meta.dirname, '..', '..');

/** What the figures belong to: the executable says its commit itself. */
export function circumstances(): Record<string, unknown> {
  return {
    measuredAt: new Date().toISOString(),
    executable: execFileSync(EXECUTABLE, ['--version'], { encoding: 'utf8' }).trim(),
    processors: cpus().length,
    processor: cpus()[0]?.model ?? 'unknown',
    memoryBytes: totalmem(),
  };
}

/** Writes `docs/<folder>/<name>.json`. @returns its path below the project */
export function writeResult(folder: 'proofs' | 'benchmarks', name: string, result: unknown): string {
  const path = join('docs', folder, `${name}.json`);
  mkdirSync(join(ROOT, 'docs', folder), { recursive: true });
  writeFileSync(join(ROOT, path), `${JSON.stringify(result, null, 2)}\n`);
  return path;
}

/** `--name VALUE` of this script's command line, a number. */
export function numberArgument(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? fallback : Number(process.argv[at + 1]);
  if (!Number.isFinite(value)) {
    console.error(`--${name}: a number expected`);
    process.exit(2);
  }
  return value;
}

export const has = (name: string): boolean => process.argv.includes(`--${name}`);
