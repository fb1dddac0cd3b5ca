import { readFileSync } from 'node:fs';

/** Put in by build/bundle.ts; from source there is none. */
declare const __EDGEWOOD_BUILD__: {
  readonly version: string;
  readonly commit: string;
  readonly target: string;
};

interface BuildFacts {
  readonly version: string;
  /** Seven digits, `-dirty` where tracked files differed; `unknown` outside git, `source` where nothing was built. */
  readonly commit: string;
  /** `linux-x64` */
  readonly target: string;
}

function fromSource(): BuildFacts {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return { version, commit: 'source', target: `${process.platform}-${process.arch}` };
}

export const BUILD: BuildFacts =
  typeof __EDGEWOOD_BUILD__ === 'undefined' ? fromSource() : __EDGEWOOD_BUILD__;

/** `edgewood 0.1.0 (commit abc1234, node v26.10.0, sqlite 3.50.1, linux-x64)` */
export async function versionText(): Promise<string> {
  return `edgewood ${BUILD.version} (commit ${BUILD.commit}, node ${process.version}, ${await sqlite()}, ${BUILD.target})`;
}

/** A host where no directory takes the addon still gets told its version. */
async function sqlite(): Promise<string> {
  try {
    const { openDatabase } = await import('../agent/native.ts');
    const database = openDatabase(':memory:', {});
    const version = database.prepare('SELECT sqlite_version()').pluck().get();
    database.close();
    return `sqlite ${version}`;
  } catch {
    return 'sqlite not loadable here';
  }
}
