import { closeSync, openSync, readSync } from 'node:fs';

/** Above this a /proc file is not one that we know. */
const LIMIT_BYTES = 4 << 20;
/** A seq_file hands out whole records up to a page, so a chunk shorter than this is the last one. */
const LAST_CHUNK_BYTES = 2048;
/** A file that isn't there (a kernel without PSI) is looked for again after so many reads. */
const RETRY_READS = 60;

/** Shared by all files: their reads never overlap, since they are synchronous. */
let shared = Buffer.allocUnsafeSlow(16 << 10);

/** A /proc file whose descriptor stays open; every read starts at position 0, which makes the kernel render it anew. */
export class ProcFile {
  readonly path: string;
  readonly #maxBytes: number;
  #descriptor = -1;
  #absentReads = 0;
  #absence: unknown;

  /** `maxBytes`: where the beginning of the file is enough. */
  constructor(path: string, maxBytes = LIMIT_BYTES) {
    this.path = path;
    this.#maxBytes = maxBytes;
  }

  /** The content as latin1 text. Throws what open or read threw, after one reopening. */
  read(): string {
    if (this.#descriptor < 0) return this.#reopened();
    try {
      return this.#content();
    } catch {
      this.close();
      return this.#reopened();
    }
  }

  #reopened(): string {
    if (this.#absentReads > 0) {
      this.#absentReads--;
      throw this.#absence;
    }
    try {
      this.#descriptor = openSync(this.path, 'r');
      return this.#content();
    } catch (error) {
      this.close();
      this.#absentReads = isAbsent(error) ? RETRY_READS : 0;
      this.#absence = error;
      throw error;
    }
  }

  #content(): string {
    let length = 0;
    for (;;) {
      if (length === shared.length) {
        if (length >= LIMIT_BYTES) throw new Error(`${this.path} is larger than ${LIMIT_BYTES} bytes`);
        const larger = Buffer.allocUnsafeSlow(shared.length * 2);
        shared.copy(larger);
        shared = larger;
      }
      const room = Math.min(shared.length, this.#maxBytes) - length;
      const read = readSync(this.#descriptor, shared, length, room, length);
      length += read;
      if ((read < LAST_CHUNK_BYTES && read < room) || length >= this.#maxBytes) break;
    }
    return shared.toString('latin1', 0, length);
  }

  close(): void {
    if (this.#descriptor < 0) return;
    const descriptor = this.#descriptor;
    this.#descriptor = -1;
    try {
      closeSync(descriptor);
    } catch {
      // Nothing is lost with a descriptor that was only read from.
    }
  }
}

/** No such file, not permitted, or a kernel that has it but switched off (PSI: EOPNOTSUPP). */
function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'EACCES' || code === 'EOPNOTSUPP' || code === 'ENOTSUP';
}
