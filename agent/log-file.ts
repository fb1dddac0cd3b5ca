import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

const ROTATE_BYTES = 10_000_000;
const DAY_MS = 86_400_000;
const KEEP_MS = 7 * DAY_MS;
/** However fast it fills: 10 files of 10 MB. */
const KEEP_FILES = 10;

export interface LogFileOptions {
  readonly nowMs: () => number;
  readonly rotateBytes?: number;
  readonly keepMs?: number;
  readonly keepFiles?: number;
}

/**
 * A log in a file (mode 0640), turned over at 10 MB to `<file>.<time>`, of which those of the last 7 days are kept, ten
 * at the most. Written at once: a log that ends before the crash explains nothing.
 */
export class LogFile {
  readonly #path: string;
  readonly #options: Required<LogFileOptions>;
  #descriptor: number | null = null;
  #bytes = 0;
  /** A log that hardly grows is turned over once in months; what it has turned over goes after a week all the same. */
  #tidiedMs = 0;
  /** Lines that the disk did not take. */
  lost = 0;

  /** @throws Error where the file can't be written */
  constructor(path: string, options: LogFileOptions) {
    this.#path = path;
    this.#options = { rotateBytes: ROTATE_BYTES, keepMs: KEEP_MS, keepFiles: KEEP_FILES, ...options };
    this.reopen();
  }

  /** For whoever turns the file over from outside. */
  reopen(): void {
    this.close();
    const descriptor = openSync(this.#path, 'a', 0o640);
    this.#descriptor = descriptor;
    this.#bytes = fstatSync(descriptor).size;
    this.#removeOld();
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    try {
      if (this.#bytes > 0 && this.#bytes + bytes.length > this.#options.rotateBytes) this.#rotate();
      if (this.#descriptor === null) this.reopen();
      this.#bytes += writeSync(this.#descriptor as unknown as number, bytes);
    } catch {
      // A full disk costs lines, never the agent; `edgewood status` counts them.
      this.lost++;
    }
    if (Math.abs(this.#options.nowMs() - this.#tidiedMs) >= DAY_MS) this.#tidy();
  }

  #tidy(): void {
    try {
      this.#removeOld();
    } catch {
      // Tried again tomorrow; the line is written.
    }
  }

  #rotate(): void {
    this.close();
    const stamp = new Date(this.#options.nowMs()).toISOString().replaceAll(':', '');
    renameSync(this.#path, `${this.#path}.${stamp}`);
    this.reopen();
  }

  /** @returns names of turned-over files, newest first: the time in them sorts */
  #turnedOver(): string[] {
    const prefix = `${basename(this.#path)}.`;
    return readdirSync(dirname(this.#path))
      .filter(
        (name) => name.startsWith(prefix) && /^\d{4}-\d\d-\d\dT[\d.]+Z$/.test(name.slice(prefix.length)),
      )
      .sort()
      .reverse();
  }

  #removeOld(): void {
    const { keepFiles, keepMs, nowMs } = this.#options;
    this.#tidiedMs = nowMs();
    for (const [i, name] of this.#turnedOver().entries()) {
      const path = join(dirname(this.#path), name);
      if (i >= keepFiles || nowMs() - statSync(path).mtimeMs > keepMs) unlinkSync(path);
    }
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}
