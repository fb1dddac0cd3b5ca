import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Model } from '../core/model.ts';
import { ArtifactError, artifactSha256, decodeModel, encodeModel, MAX_ARTIFACT_BYTES } from './artifact.ts';

/**
 * Models on disk: `current` and `previous` are what this host learned; `central` is kept for a signed model from
 * the centre, which takes precedence. Switched by rename and fsync, so that a power cut at any instant leaves a
 * working one.
 */
export type Slot = 'current' | 'previous' | 'central';

export interface LoadedModel {
  readonly model: Model;
  readonly sha256: string;
  readonly slot: Slot;
  readonly bytes: number;
}

export class ModelSlots {
  readonly #directory: string;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, 'models');
    mkdirSync(this.#directory, { recursive: true, mode: 0o750 });
  }

  path(slot: Slot): string {
    return join(this.#directory, `${slot}.edgewood`);
  }

  /**
   * The model to run: central before current before previous.
   * @param onFault is told of a slot that can't be read; the next one is tried
   */
  load(onFault: (slot: Slot, fault: string) => void): LoadedModel | null {
    for (const slot of ['central', 'current', 'previous'] as const) {
      const loaded = this.#read(slot, onFault);
      if (loaded !== null) return loaded;
    }
    return null;
  }

  #read(slot: Slot, onFault: (slot: Slot, fault: string) => void): LoadedModel | null {
    const path = this.path(slot);
    try {
      const { size } = statSync(path);
      if (size > MAX_ARTIFACT_BYTES) throw new ArtifactError('tooLarge', `${size} bytes`);
      const bytes = readFileSync(path);
      return { model: decodeModel(bytes), sha256: artifactSha256(bytes), slot, bytes: bytes.length };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      onFault(slot, `${path}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }

  /** Makes a model the current one; the one before becomes `previous`. Durable when it returns. */
  install(model: Model): LoadedModel {
    const bytes = encodeModel(model);
    const temporary = join(this.#directory, 'candidate.tmp');
    const file = openSync(temporary, 'w', 0o640);
    try {
      // Not writeSync: on a disk that fills up it may write a part, and say nothing.
      writeFileSync(file, bytes);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // In this order a cut between the two renames leaves `previous`, which load() takes.
    try {
      renameSync(this.path('current'), this.path('previous'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    renameSync(temporary, this.path('current'));
    this.#syncDirectory();
    return { model, sha256: artifactSha256(bytes), slot: 'current', bytes: bytes.length };
  }

  /**
   * Swaps `current` and `previous`: a second time, it is as before. Durable when it returns.
   * @returns null, with nothing changed, where there is no usable previous one
   */
  rollback(onFault: (slot: Slot, fault: string) => void): LoadedModel | null {
    const loaded = this.#read('previous', onFault);
    if (loaded === null) return null;
    const aside = join(this.#directory, 'rolled-back.tmp');
    // A cut after the first leaves the previous one, which load() takes; after the second, the right one.
    if (existsSync(this.path('current'))) renameSync(this.path('current'), aside);
    renameSync(this.path('previous'), this.path('current'));
    if (existsSync(aside)) renameSync(aside, this.path('previous'));
    this.#syncDirectory();
    return { ...loaded, slot: 'current' };
  }

  /** Sets a slot aside that can't be used. */
  discard(slot: Slot): void {
    rmSync(this.path(slot), { force: true });
    this.#syncDirectory();
  }

  #syncDirectory(): void {
    const directory = openSync(this.#directory, 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }
}
