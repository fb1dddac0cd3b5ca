import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import type { ReleaseDocument } from '../../core/protocol/trust.ts';

type Artifact = ReleaseDocument['artifact'];

/**
 * An artifact as its chunks come in, in any order, over any number of restarts: what lies on disk is believed only by
 * its digest, so nothing has to be synced. Its size is that of the signed release, never of what came.
 */
export class ChunkFile {
  readonly #path: string;
  readonly #artifact: Artifact;
  readonly #missing = new Set<number>();

  constructor(path: string, artifact: Artifact) {
    this.#path = path;
    this.#artifact = artifact;
    const file = openSync(path, 'a+', 0o600);
    try {
      ftruncateSync(file, artifact.bytes);
      for (let i = 0; i < artifact.chunks.length; i++) {
        if (!this.#fits(i, readAt(file, i * artifact.chunkBytes, this.#length(i)))) this.#missing.add(i);
      }
    } finally {
      closeSync(file);
    }
  }

  /** Indices, ascending. */
  get missing(): number[] {
    return [...this.#missing];
  }

  #length(index: number): number {
    const { bytes, chunkBytes } = this.#artifact;
    return Math.min(chunkBytes, bytes - index * chunkBytes);
  }

  #fits(index: number, chunk: Uint8Array): boolean {
    if (chunk.length !== this.#length(index)) return false;
    return createHash('sha256').update(chunk).digest('hex') === this.#artifact.chunks[index];
  }

  /**
   * @returns whether it is the chunk that the release names; one that was there already counts as such
   * @throws NodeJS.ErrnoException where it can't be written
   */
  put(index: number, chunk: Uint8Array): boolean {
    if (!this.#fits(index, chunk)) return false;
    if (!this.#missing.has(index)) return true;
    const file = openSync(this.#path, 'r+');
    try {
      let at = 0;
      while (at < chunk.length) {
        at += writeSync(file, chunk, at, chunk.length - at, index * this.#artifact.chunkBytes + at);
      }
    } finally {
      closeSync(file);
    }
    this.#missing.delete(index);
    return true;
  }

  /** All of it, read back. */
  read(): Buffer {
    const file = openSync(this.#path, 'r');
    try {
      return readAt(file, 0, this.#artifact.bytes);
    } finally {
      closeSync(file);
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

function readAt(file: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let got = 0;
  while (got < length) {
    const count = readSync(file, bytes, got, length - got, at + got);
    if (count === 0) return bytes.subarray(0, got);
    got += count;
  }
  return bytes;
}
