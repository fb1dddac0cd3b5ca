import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { artifactSha256, MAX_ARTIFACT_BYTES } from '../artifact.ts';
import { writeShared } from './durable.ts';
import { makeDirectory } from './index-schema.ts';
import { RegistryError } from './registry-error.ts';

const SUFFIX = '.edgewood';

/** Artifacts by what is in them: `<sha256>.edgewood`, written once, whole or not at all. */
export class Objects {
  readonly #directory: string;

  constructor(registryDirectory: string) {
    this.#directory = join(registryDirectory, 'objects');
  }

  path(sha256: string): string {
    return join(this.#directory, `${sha256}${SUFFIX}`);
  }

  /** On disk, name and all, when it returns. */
  write(sha256: string, bytes: Uint8Array): void {
    makeDirectory(this.#directory);
    writeShared(this.path(sha256), bytes);
  }

  /**
   * @param what begins the message; null where it is said already
   * @throws RegistryError where the file is missing, or is not what its name says
   */
  read(sha256: string, what: string | null): Uint8Array {
    const path = this.path(sha256);
    const damaged = (fault: string): RegistryError =>
      new RegistryError(
        'damaged',
        `${what === null ? '' : `${what}: `}${path} ${fault}. Restore the file from a backup.`,
      );
    let bytes: Buffer;
    try {
      const { size } = statSync(path);
      if (size > MAX_ARTIFACT_BYTES)
        throw damaged(`has ${size} bytes, at most ${MAX_ARTIFACT_BYTES} are read`);
      bytes = readFileSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw damaged('is missing');
      throw error;
    }
    const found = artifactSha256(bytes);
    if (found !== sha256) throw damaged(`is damaged: its SHA-256 is ${found}`);
    return bytes;
  }

  /** Names of all files, ours or not. */
  names(): string[] {
    try {
      return readdirSync(this.#directory).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  static sha256Of(name: string): string | null {
    return new RegExp(`^([0-9a-f]{64})${SUFFIX}$`).exec(name)?.[1] ?? null;
  }
}
