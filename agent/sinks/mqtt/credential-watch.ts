import type { SinkConfig } from '../../config/config.ts';
import { checkFiles, filesMark, hasFiles } from '../files.ts';

const CHECK_MS = 15_000;

/**
 * Notices that files of credentials were replaced while a connection made with the former ones still stands: they
 * would be read at the next connection, which may come after they have run out. Two looks have to agree, so that a
 * user name is not taken without its password.
 */
export class CredentialWatch {
  readonly #config: SinkConfig;
  readonly #setTimer: (callback: () => void, ms: number) => () => void;
  readonly #onChange: (fault: string | null) => void;
  #used = '';
  #seen = '';
  #cancel: (() => void) | null = null;

  /** @param onChange null: usable; else what is wrong with them, once for each change */
  constructor(
    config: SinkConfig,
    setTimer: (callback: () => void, ms: number) => () => void,
    onChange: (fault: string | null) => void,
  ) {
    this.#config = config;
    this.#setTimer = setTimer;
    this.#onChange = onChange;
  }

  start(): void {
    if (!hasFiles(this.#config)) return;
    this.#cancel = this.#setTimer(() => {
      this.start();
      this.#look();
    }, CHECK_MS);
  }

  stop(): void {
    this.#cancel?.();
  }

  /** They are about to be read. */
  used(): void {
    this.#used = filesMark(this.#config);
    this.#seen = this.#used;
  }

  #look(): void {
    const before = this.#seen;
    this.#seen = filesMark(this.#config);
    if (this.#seen === this.#used || this.#seen !== before) return;
    // Told once, whatever becomes of it.
    this.#used = this.#seen;
    try {
      checkFiles(this.#config);
    } catch (error) {
      this.#onChange((error as Error).message);
      return;
    }
    this.#onChange(null);
  }
}
