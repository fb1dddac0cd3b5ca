import { existsSync } from 'node:fs';
import { printable } from '../../agent/log.ts';
import { UserError } from '../errors.ts';
import { referenceOf } from '../model-reference.ts';
import { withRegistry } from '../registry.ts';

/** Where a release is, and what it is a release of, where the registry says so. */
export interface ReleasePlace {
  readonly path: string;
  readonly model: { readonly name: string; readonly version: number } | null;
}

/** A file that exists, or the release of `name@version` or `name@alias` in the registry. @throws UserError, RegistryError */
export function releasePlace(text: string, registryFlag: string | undefined): ReleasePlace {
  if (existsSync(text)) return { path: text, model: null };
  const reference = referenceOf(text);
  if (reference === null) {
    throw new UserError(
      `${printable(text)} can't be found. RELEASE is a file, or name@version or name@alias of the registry`,
    );
  }
  return withRegistry(registryFlag, { create: false }, (registry) => {
    const { name } = reference;
    const { version } = registry.get(name, reference.versionOrAlias).record;
    const path = registry.releasePath(name, version);
    if (existsSync(path)) return { path, model: { name, version } };
    throw new UserError(
      `${name}@${version} is not released yet: edgewood release create ${name}@${version} --root FILE --key FILE`,
    );
  });
}
