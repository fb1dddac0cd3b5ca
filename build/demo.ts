/** `npm run demo`: builds the executable where it is older than the sources, then runs its `demo`. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { EXECUTABLE, isStale } from './stale.ts';

const root = join(import.meta.dirname, '..');

process.exitCode = main();

function main(): number {
  if (isStale()) {
    console.log('Building the executable (dist/edgewood-linux-x64), about ten seconds.');
    const build = spawnSync(process.execPath, ['build/executable.ts', '--no-pack'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (build.status !== 0) return build.status ?? 1;
  }
  return spawnSync(EXECUTABLE, ['demo', ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1;
}
