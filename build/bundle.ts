import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';

export const ROOT = join(import.meta.dirname, '..');

export interface BuildFacts {
  readonly version: string;
  readonly commit: string;
  readonly target: string;
}

export function buildFacts(target: string): BuildFacts {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  return { version, commit: commit(), target };
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', ROOT, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    const dirty = git('status', '--porcelain', '--untracked-files=no') !== '';
    return `${git('rev-parse', '--short=7', 'HEAD')}${dirty ? '-dirty' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** mqtt.js over TCP and TLS needs none of these, and they are 10 MB of the agent's memory. */
const leanMqtt: Plugin = {
  name: 'lean-mqtt',
  setup({ onResolve }) {
    const stub = (name: string) => ({ path: join(ROOT, 'build', 'stubs', name) });
    onResolve({ filter: /^(ws|socks|worker-timers)$/ }, ({ importer }) =>
      /node_modules\/mqtt\//.test(importer) ? stub('absent.cjs') : undefined,
    );
    onResolve({ filter: /^debug$/ }, () => stub('debug.cjs'));
    // readable-stream is a copy of Node's own streams for browsers and old Nodes.
    onResolve({ filter: /^readable-stream$/ }, () => ({ path: 'node:stream', external: true }));
  },
};

/**
 * One CommonJS file with everything but Node in it. Modules behind `await import()` are wrapped and evaluated on
 * first use, as from source. Nothing in the output depends on where the repository lies.
 */
export async function bundle(outfile: string, facts: BuildFacts, entry = 'cli/main.ts'): Promise<Metafile> {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    // Module paths stand in the bundle, for stacks: a node_modules that is a link must not show.
    preserveSymlinks: true,
    outfile,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    // Older than the runtime, so that an old Node can read the file as far as the check that refuses it.
    target: 'node20',
    // Names stay: a stack under EDGEWOOD_DEBUG=1 has to mean something.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    define: { __EDGEWOOD_BUILD__: JSON.stringify(facts), 'import.meta.url': '__bundleUrl' },
    banner: { js: "const __bundleUrl=require('node:url').pathToFileURL(__filename).href;" },
    plugins: [leanMqtt],
    metafile: true,
    logLevel: 'warning',
  });
  writeFileSync(outfile, escapeNonAscii(readFileSync(outfile, 'utf8')));
  return result.metafile;
}

/**
 * esbuild escapes what is in strings, but not in regular expressions, and one such character makes V8 keep the whole
 * source as UTF-16, 1.4 MB more for as long as the process lives. The escape means the same in both.
 */
const escapeNonAscii = (source: string): string =>
  source.replace(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
