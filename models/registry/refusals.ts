import { statSync } from 'node:fs';
import { join } from 'node:path';
import { ArtifactError, decodeModel } from '../artifact.ts';
import { RegistryError, translate } from './registry-error.ts';

/** @throws RegistryError for a registry that is a file, or that can't be looked at */
export function refuseFile(directory: string, indexFile: string): void {
  let found: ReturnType<typeof statSync>;
  try {
    found = statSync(directory, { throwIfNoEntry: false });
    // A directory of somebody else must not look like none.
    statSync(join(directory, indexFile), { throwIfNoEntry: false });
  } catch (error) {
    throw translate(error, join(directory, indexFile));
  }
  if (found === undefined || found.isDirectory()) return;
  throw new RegistryError(
    'unusable',
    `${directory} is a file, expected a directory. Name the registry's directory with --registry or EDGEWOOD_REGISTRY.`,
  );
}

/** What nobody could open again is not kept. @throws RegistryError */
export function refuseUnusable(bytes: Uint8Array): void {
  try {
    decodeModel(bytes);
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    throw new RegistryError(
      'unusable',
      `no model that can be used: ${error.message}. Nothing was registered.`,
    );
  }
}
