import { homedir, hostname, userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { openDatabase } from '../agent/native.ts';
import { Publications } from '../models/registry/publications.ts';
import { Registry } from '../models/registry/registry.ts';

/** --registry, EDGEWOOD_REGISTRY, $XDG_DATA_HOME/edgewood/registry, ~/.local/share/edgewood/registry. */
export function registryDirectory(flag: string | undefined): string {
  const named = flag ?? process.env['EDGEWOOD_REGISTRY'];
  if (named !== undefined && named !== '') return resolve(named);
  const data = process.env['XDG_DATA_HOME'];
  // A relative one is to be ignored (XDG Base Directory Specification).
  const home = data !== undefined && isAbsolute(data) ? data : join(homedir(), '.local', 'share');
  return join(home, 'edgewood', 'registry');
}

/** To be closed. @throws RegistryError, AddonError */
export function openRegistry(directory: string, options: { readonly create: boolean }): Registry {
  return Registry.open(directory, {
    create: options.create,
    nowMs: Date.now,
    actor: registryActor(),
    openDatabase: (path) => openDatabase(path),
  });
}

/** Closes it behind the work, also behind work that takes its time. */
export function closing<R extends { close(): void }, T>(resource: R, work: (resource: R) => T): T {
  let result: T;
  try {
    result = work(resource);
  } catch (error) {
    resource.close();
    throw error;
  }
  if (result instanceof Promise) return result.finally(() => resource.close()) as T;
  resource.close();
  return result;
}

/** Opens the registry that is meant, and closes it. */
export function withRegistry<T>(
  flag: string | undefined,
  options: { readonly create: boolean },
  work: (registry: Registry) => T,
): T {
  return closing(openRegistry(registryDirectory(flag), options), work);
}

/** What was published from the registry that is meant. @throws RegistryError */
export function withPublications<T>(
  flag: string | undefined,
  create: boolean,
  work: (publications: Publications) => T,
): T {
  const publications = Publications.open(registryDirectory(flag), {
    create,
    nowMs: Date.now,
    openDatabase: (path) => openDatabase(path),
  });
  return closing(publications, work);
}

/** Who does it: user@host. */
export function registryActor(): string {
  return `${userName()}@${hostname()}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown'); // a container's user without an entry
  }
}
