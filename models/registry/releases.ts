import { join } from 'node:path';
import { RegistryError } from './registry-error.ts';

export const releasePath = (directory: string, name: string, version: number): string =>
  join(directory, 'releases', `${name}@${version}.json`);

/** Hosts take one release of a version, ever: a second one would be refused everywhere. */
export const alreadyReleased = (name: string, version: number, path: string): RegistryError =>
  new RegistryError(
    'conflict',
    `${name}@${version} is released already: ${path}. Hosts take a version once; add signatures with edgewood release sign, or remove the file if it was never published.`,
  );
