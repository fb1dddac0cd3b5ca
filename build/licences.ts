import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { ROOT } from './bundle.ts';

/** Inside the executable without a line in the bundle: the runtime, and the C++ headers compiled into the addon. */
const BESIDE_THE_BUNDLE = ['node_modules/node-addon-api'];

interface Package {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly text: string;
}

/** The licence texts of everything in the executable, sorted by name; the same input gives the same bytes. */
export function licences(metafile: Metafile, nodePackage: string): string {
  const folders = new Set([...Object.keys(metafile.inputs).flatMap(packageFolder), ...BESIDE_THE_BUNDLE]);
  // A version that lies in several folders is one package.
  const installed = [...folders].map((folder) => readPackage(join(ROOT, folder)));
  const packages = [...new Map(installed.map((one) => [`${one.name}@${one.version}`, one])).values()];
  packages.push({ ...readPackage(nodePackage), name: 'node', licence: 'MIT and others, below' });
  packages.push({ name: 'sqlite', version: 'amalgamation', licence: 'public domain', text: SQLITE });
  packages.sort((a, b) => (`${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1));
  const rule = '='.repeat(80);
  const own = readFileSync(join(ROOT, 'LICENSE'), 'utf8').trim();
  return [
    'edgewood is licensed under the Apache License 2.0 (at the end). It contains:\n',
    ...packages.map(({ name, version, licence }) => `  ${name} ${version}: ${licence}`),
    ...packages.map(({ name, version, text }) => `\n${rule}\n${name} ${version}\n${rule}\n\n${text}`),
    `\n${rule}\nedgewood\n${rule}\n\n${own}\n`,
  ].join('\n');
}

/** `node_modules/a/node_modules/@b/c/lib/x.js` -> `node_modules/a/node_modules/@b/c`; nothing for our own files. */
export function packageFolder(input: string): string[] {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.slice(0, 1) ?? [];
}

function readPackage(folder: string): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  const file = readdirSync(folder)
    .sort()
    .find((entry) => /^(licen[cs]e|copying)(\.|$)/i.test(entry));
  if (license === undefined && file === undefined)
    throw new Error(`${name}: neither a licence file nor a field`);
  const text =
    file !== undefined && existsSync(join(folder, file))
      ? readFileSync(join(folder, file), 'utf8').trim()
      : `(the package has no licence file; its package.json says: ${license})`;
  return { name, version, licence: license ?? 'see below', text };
}

const SQLITE = `SQLite is in the public domain (https://www.sqlite.org/copyright.html):

The author disclaims copyright to this source code. In place of a legal notice, here is a blessing:

  May you do good and not evil.
  May you find forgiveness for yourself and forgive others.
  May you share freely, never taking more than you give.`;
