import type { KeyObject } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { printable } from '../../agent/log.ts';
import { readPrivateKey, readPublicKey } from '../../models/trust/keys.ts';
import { UserError } from '../errors.ts';

const MAX_KEY_BYTES = 16 * 1024;

export interface NamedKey {
  /** Name of its file, without the ending. */
  readonly name: string;
  readonly key: KeyObject;
}

/** @throws UserError naming the file, and how to mend it */
export function readPublicKeyFile(path: string): NamedKey {
  return named(path, readPublicKey);
}

/** @throws UserError, also for a file that others than its owner may read */
export function readPrivateKeyFile(path: string, passphrase: string | null): NamedKey {
  return named(path, (pem) => readPrivateKey(pem, passphrase), true);
}

function named(path: string, read: (pem: string) => KeyObject, secret = false): NamedKey {
  const pem = readKeyFile(path, secret);
  try {
    return { name: basename(path).replace(/\.(pub|key|pem)$/, ''), key: read(pem) };
  } catch (error) {
    throw new UserError(`${printable(path)}: ${(error as Error).message}`);
  }
}

/** What the passphrase file holds, without the end of its line; null where none is named. @throws UserError */
export function readPassphrase(path: string | undefined): string | null {
  if (path === undefined) return null;
  const text = readKeyFile(path, true).replace(/\r?\n$/, '');
  if (text === '') throw new UserError(`${printable(path)} is empty, expected a passphrase`);
  return text;
}

/** @param secret refuse a file that others may read; a pipe or a terminal has no such others */
export function readKeyFile(path: string, secret: boolean): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw new UserError(`${printable(path)} can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    const { mode, size } = fstatSync(file);
    if ((mode & 0o170000) === 0o040000) throw new UserError(`${printable(path)} is a directory`);
    const isFile = (mode & 0o170000) === 0o100000;
    if (secret && isFile && (mode & 0o077) !== 0) {
      if (path.endsWith('.pub')) {
        throw new UserError(`${printable(path)}: a public key, by its name; expected the private one (.key)`);
      }
      const shown = (mode & 0o777).toString(8).padStart(4, '0');
      throw new UserError(
        `${printable(path)} can be read by others (mode ${shown}): it may be theirs already. chmod 600 it; make a new key if anybody else was ever on this machine`,
      );
    }
    if (size > MAX_KEY_BYTES) throw new UserError(`${printable(path)} has ${size} bytes: that is no key`);
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

/** A new file, on disk when this returns. @throws UserError where there is one of that name, or where it can't be */
export function createFile(path: string, content: string, mode: number): void {
  let file: number;
  try {
    file = openSync(path, 'wx', mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(
      code === 'EEXIST'
        ? `${printable(path)} is there already, and is not written over: name another, or remove it`
        : `${printable(path)} can't be written (${code})`,
    );
  }
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
