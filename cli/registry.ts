import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** --registry, EDGEWOOD_REGISTRY, $XDG_DATA_HOME/edgewood/registry, ~/.local/share/edgewood/registry. */
export function registryDirectory(flag: string | undefined): string {
  const named = flag ?? process.env['EDGEWOOD_REGISTRY'];
  if (named !== undefined && named !== '') return resolve(named);
  const data = process.env['XDG_DATA_HOME'];
  // A relative one is to be ignored (XDG Base Directory Specification).
  const home = data !== undefined && isAbsolute(data) ? data : join(homedir(), '.local', 'share');
  return join(home, 'edgewood', 'registry');
}
