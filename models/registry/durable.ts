import { fchmodSync } from 'node:fs';
import { writeDurably } from '../durable-file.ts';

const MODE = 0o644;

/** A file of a registry: several processes write there, and whoever shares it reads, whatever the umask. */
export const writeShared = (path: string, content: string | Uint8Array): void =>
  writeDurably(path, content, { mode: MODE, shared: true, prepare: (file) => fchmodSync(file, MODE) });
