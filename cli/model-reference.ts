import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { printable } from '../agent/log.ts';
import type { Model } from '../core/model.ts';
import { ArtifactError, artifactSha256, decodeModel, MAGIC, MAX_ARTIFACT_BYTES } from '../models/artifact.ts';
import type { ModelRecord } from '../models/record.ts';
import { isName } from '../models/registry/names.ts';
import { UserError } from './errors.ts';
import { openRegistry } from './registry.ts';

export interface OpenedModel {
  readonly model: Model;
  readonly bytes: Uint8Array;
  /** Hex, of the bytes. */
  readonly sha256: string;
  /** What the registry knows of it; null for a file. */
  readonly record: ModelRecord | null;
  /** Aliases that point to this version. */
  readonly aliases: readonly string[];
  /** For messages: the file's path, or `name@version`. */
  readonly shown: string;
}

/** `name@version`, `name@alias` or `name@latest`, apart. */
export interface Reference {
  readonly name: string;
  readonly versionOrAlias: string;
}

/** For commands that take both. */
export const MODEL_FIRST = '; MODEL comes first, then FILE';

/** The parts of `name@something`; null where it can't be one. */
export function referenceOf(text: string): Reference | null {
  const [name = '', versionOrAlias = '', ...rest] = text.split('@');
  return rest.length === 0 && versionOrAlias !== '' && isName(name) ? { name, versionOrAlias } : null;
}

/**
 * The model that a person named: a file, or `name@version` or `name@alias` of the registry. A file that exists wins.
 * @param order what to add where it is recorded data
 * @throws UserError, RegistryError
 */
export function openModel(text: string, registryDirectory: string, order = ''): OpenedModel {
  const reference = referenceOf(text);
  if (reference === null || existsSync(text)) return openFile(text, order);
  const registry = openRegistry(registryDirectory, { create: false });
  try {
    const { name, versionOrAlias } = reference;
    const { record, aliases, bytes } = registry.read(name, versionOrAlias);
    const shown = `${name}@${record.version}`;
    return { model: decode(bytes, shown), bytes, sha256: record.sha256, record, aliases, shown };
  } finally {
    registry.close();
  }
}

/** Where a recording could stand as well: a file that begins as models do, or what can only be a registered one. */
export function namesModel(text: string): boolean {
  if (!existsSync(text)) return referenceOf(text) !== null;
  // Reading from a pipe would take from it.
  if (!statSync(text).isFile()) return false;
  return headOf(text, MAGIC.length).toString('latin1') === MAGIC;
}

/** The first bytes of a file; none where it can't be read: whoever reads it says what is wrong with it. */
function headOf(path: string, bytes: number): Buffer {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return Buffer.alloc(0);
  }
  try {
    const head = Buffer.alloc(bytes);
    return head.subarray(0, readSync(file, head, 0, bytes, 0));
  } finally {
    closeSync(file);
  }
}

const HEAD_BYTES = 4096;

/** A CSV, by its first line, or what is packed with gzip: nothing else that is read here is. */
function isRecordedData(path: string): boolean {
  if (!statSync(path).isFile()) return false;
  const head = headOf(path, HEAD_BYTES);
  // A damaged model is one all the same.
  if (head.toString('latin1', 0, MAGIC.length) === MAGIC) return false;
  if (head[0] === 0x1f && head[1] === 0x8b) return true;
  return /^[^\n]*timestamp/i.test(head.toString('latin1'));
}

function openFile(path: string, order: string): OpenedModel {
  const shown = printable(path);
  try {
    const { size } = statSync(path);
    if (size > MAX_ARTIFACT_BYTES) {
      throw new ArtifactError('tooLarge', `${size} bytes, at most ${MAX_ARTIFACT_BYTES} are read`);
    }
    const bytes = readFileSync(path);
    return {
      model: decode(bytes, shown),
      bytes,
      sha256: artifactSha256(bytes),
      record: null,
      aliases: [],
      shown,
    };
  } catch (error) {
    const unfit = error instanceof ArtifactError || error instanceof UserError;
    if (unfit && isRecordedData(path)) throw new UserError(`${shown} is no model${order}`);
    if (error instanceof ArtifactError) throw unusable(shown, error);
    if (error instanceof UserError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const hint = isName(path)
      ? `A registered model is named with its version or alias: ${shown}@latest.`
      : "MODEL is a file (a host's own is models/current.edgewood in its state directory), or name@version or name@alias of the registry.";
    throw new UserError(`${shown} can't be read (${code}). ${hint}`);
  }
}

function decode(bytes: Uint8Array, shown: string): Model {
  try {
    return decodeModel(bytes);
  } catch (error) {
    throw error instanceof ArtifactError ? unusable(shown, error) : error;
  }
}

const unusable = (shown: string, { message }: ArtifactError): UserError =>
  new UserError(`${shown} is no model that can be used: ${message}`);
