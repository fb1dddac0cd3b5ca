import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { parseDocument } from 'yaml';
import { UserError } from './errors.ts';

/** @throws UserError naming file, line and column of what is no YAML */
export function readYaml(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`${path}: can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const document = parseDocument(text, { prettyErrors: true });
  const [fault] = document.errors;
  if (fault !== undefined) {
    const { line, col } = fault.linePos?.[0] ?? { line: 1, col: 1 };
    throw new UserError(
      `${path}:${line}:${col}: ${fault.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '')}`,
    );
  }
  return document.toJS();
}

/** What a file that we write begins with. */
export const OUTPUT = {
  model: { name: 'model', begins: /^EDGEWOOD/ },
  page: { name: 'report', begins: /^<!doctype html>/i },
  json: { name: 'JSON document', begins: /^\s*[{[]/ },
  scores: { name: 'file of scores', begins: /^timestamp,score,/ },
} as const;
const HEAD_BYTES = 64;

/**
 * Whether an output can be written, asked before the work: nothing that was read, and nothing of another kind, is
 * written over.
 * @throws UserError naming the file and what is in the way
 */
export function checkOutput(
  path: string | undefined,
  kind: (typeof OUTPUT)[keyof typeof OUTPUT],
  inputs: readonly string[] = [],
): void {
  if (path === undefined) return;
  const there = look(path);
  if (there === null) {
    checkFolder(path);
    return;
  }
  if (there.isDirectory()) throw new UserError(`${path} is a directory: name a file in it`);
  const input = inputs.find((name) => isSame(there, look(name)));
  if (input !== undefined) throw new UserError(`${path} is ${input}, which is read: it would be lost`);
  if (there.isFile() && there.size > 0 && !kind.begins.test(headOf(path))) {
    throw new UserError(
      `${path} is there, and is no ${kind.name}: it is not written over. Name another file, or remove it`,
    );
  }
}

/** null where there is nothing, or where nobody may look. */
function look(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}

const isSame = (a: Stats, b: Stats | null): boolean => b !== null && a.ino === b.ino && a.dev === b.dev;

function checkFolder(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'its folder does not exist' : `its folder can't be written to (${code})`;
    throw new UserError(`${path}: can't be written: ${why}`);
  }
}

function headOf(path: string): string {
  try {
    const file = openSync(path, 'r');
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      return head.toString('latin1', 0, readSync(file, head, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}

/**
 * Whole, or not at all: beside the target, then renamed. A device or a pipe is written as it is.
 * @throws UserError naming the file and why it can't be written
 */
export function writeOutput(path: string, content: string | Uint8Array): void {
  const direct = look(path)?.isFile() === false;
  const target = direct ? path : `${path}.${process.pid}.part`;
  try {
    writeFileSync(target, content);
    if (!direct) renameSync(target, path);
  } catch (error) {
    if (!direct) rmSync(target, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(
      `${path}: can't be written${code === 'ENOSPC' ? ': the disk is full' : ` (${code})`}`,
    );
  }
}
