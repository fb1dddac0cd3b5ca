import { existsSync, globSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
export const EXECUTABLE = join(root, 'dist', 'edgewood-linux-x64');

/** Whether the executable is missing, or older than anything that it is made of. */
export function isStale(): boolean {
  if (!existsSync(EXECUTABLE)) return true;
  const built = statSync(EXECUTABLE).mtimeMs;
  const sources = globSync(
    ['{core,collector,models,agent,hub,cli,build}/**/*', 'package.json', 'package-lock.json'],
    { cwd: root },
  );
  return sources.some((file) => statSync(join(root, file)).mtimeMs > built);
}
