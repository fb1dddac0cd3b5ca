import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Model } from '../core/model.ts';
import { ArtifactError, artifactSha256, decodeModel, encodeModel, MAX_ARTIFACT_BYTES } from './artifact.ts';
import { syncDirectory, writeDurably } from './durable-file.ts';

/**
 * Models on disk: `current` and `previous` are what this host learned; `central` is a signed model from the centre,
 * which takes precedence, `central-previous` the one before it, and `candidate` one that is being tried. Switched by
 * rename and fsync, so that a power cut at any instant leaves a working one.
 */
export type Slot = 'current' | 'previous' | 'central';
export type StoredSlot = Slot | 'central-previous' | 'candidate';

export interface LoadedModel {
  readonly model: Model;
  readonly sha256: string;
  readonly slot: Slot;
  readonly bytes: number;
}

type Read = Omit<LoadedModel, 'slot'>;

const MODE = 0o640;

export class ModelSlots {
  readonly #directory: string;
  readonly #digests = new Map<StoredSlot, { readonly file: string; readonly sha256: string | null }>();

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, 'models');
    mkdirSync(this.#directory, { recursive: true, mode: 0o750 });
  }

  path(slot: StoredSlot): string {
    return join(this.#directory, `${slot}.edgewood`);
  }

  /**
   * The model to run: central before current before previous.
   * @param onFault is told of a slot that can't be read; the next one is tried
   * @param trusted says of the digest of a central one whether it may run; without it none may
   */
  load(
    onFault: (slot: StoredSlot, fault: string) => void,
    trusted: (sha256: string) => boolean = () => false,
  ): LoadedModel | null {
    for (const slot of ['central', 'central-previous', 'current', 'previous'] as const) {
      const loaded = this.read(slot, onFault);
      if (loaded === null) continue;
      if (slot === 'current' || slot === 'previous') return { ...loaded, slot };
      if (trusted(loaded.sha256)) return { ...loaded, slot: 'central' };
      if (slot === 'central') onFault(slot, `${this.path(slot)}: nobody vouches for it; it is left alone`);
    }
    return null;
  }

  /** Its own model of this host, whatever the centre says. */
  loadOwn(onFault: (slot: StoredSlot, fault: string) => void): LoadedModel | null {
    for (const slot of ['current', 'previous'] as const) {
      const loaded = this.read(slot, onFault);
      if (loaded !== null) return { ...loaded, slot };
    }
    return null;
  }

  read(slot: StoredSlot, onFault: (slot: StoredSlot, fault: string) => void): Read | null {
    const path = this.path(slot);
    try {
      const bytes = this.#bytes(slot);
      return { model: decodeModel(bytes), sha256: artifactSha256(bytes), bytes: bytes.length };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      onFault(slot, `${path}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }

  #bytes(slot: StoredSlot): Buffer {
    const { size } = statSync(this.path(slot));
    if (size > MAX_ARTIFACT_BYTES) throw new ArtifactError('tooLarge', `${size} bytes`);
    return readFileSync(this.path(slot));
  }

  /** What lies there, whatever it is; null where nothing does that could be a model. */
  bytes(slot: StoredSlot): Buffer | null {
    try {
      return this.#bytes(slot);
    } catch {
      return null;
    }
  }

  /** Hex SHA-256 of what lies there; null where nothing does. Read again only where the file is another. */
  digest(slot: StoredSlot): string | null {
    const stat = statSync(this.path(slot), { throwIfNoEntry: false });
    const file = stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
    const known = this.#digests.get(slot);
    if (known?.file === file) return known.sha256;
    const bytes = this.bytes(slot);
    const sha256 = bytes === null ? null : artifactSha256(bytes);
    this.#digests.set(slot, { file, sha256 });
    return sha256;
  }

  /** Makes a model the current one; the one before becomes `previous`. Durable when it returns. */
  install(model: Model): LoadedModel {
    const bytes = encodeModel(model);
    writeDurably(this.path('current'), bytes, {
      mode: MODE,
      beforeRename: () => this.#keep('current', 'previous'),
    });
    return { model, sha256: artifactSha256(bytes), slot: 'current', bytes: bytes.length };
  }

  /**
   * Swaps `current` and `previous`: a second time, it is as before. Durable when it returns.
   * @returns null, with nothing changed, where there is no usable previous one
   */
  rollback(onFault: (slot: StoredSlot, fault: string) => void): LoadedModel | null {
    const loaded = this.read('previous', onFault);
    if (loaded === null) return null;
    const aside = join(this.#directory, 'rolled-back.tmp');
    // A cut after the first leaves the previous one, which load() takes; after the second, the right one.
    if (existsSync(this.path('current'))) renameSync(this.path('current'), aside);
    renameSync(this.path('previous'), this.path('current'));
    if (existsSync(aside)) renameSync(aside, this.path('previous'));
    syncDirectory(this.#directory);
    return { ...loaded, slot: 'current' };
  }

  /** Keeps an artifact to be tried. Durable when it returns. */
  stage(bytes: Uint8Array): void {
    writeDurably(this.path('candidate'), bytes, { mode: MODE });
  }

  /** The candidate becomes the central model; the one before stays as `central-previous`. Durable when it returns. */
  commitCentral(): void {
    this.#keep('central', 'central-previous');
    renameSync(this.path('candidate'), this.path('central'));
    syncDirectory(this.#directory);
  }

  /** The central model before takes over again, and the one that goes is gone. Durable when it returns. */
  revertCentral(): void {
    renameSync(this.path('central-previous'), this.path('central'));
    syncDirectory(this.#directory);
  }

  /** Sets slots aside that are not to be used. Durable when it returns. */
  discard(...slots: StoredSlot[]): void {
    for (const slot of slots) rmSync(this.path(slot), { force: true });
    syncDirectory(this.#directory);
  }

  /** A second name for what lies in `from`, which stays where it is: at no instant is there none. */
  #keep(from: StoredSlot, as: StoredSlot): void {
    if (!existsSync(this.path(from))) return;
    const aside = `${this.path(as)}.tmp`;
    rmSync(aside, { force: true });
    try {
      linkSync(this.path(from), aside);
    } catch {
      // Not every file system has hard links.
      copyFileSync(this.path(from), aside);
    }
    renameSync(aside, this.path(as));
  }
}
