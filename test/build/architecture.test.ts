// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the literals are source text under test
import { describe, expect, it } from 'vitest';
import { checkFile } from '../../build/architecture.ts';

const offences = (path: string, text: string): string[] => checkFile(path, text);

describe('import direction', () => {
  it.each([
    ['core/a.ts', `import { b } from './b.ts';`],
    ['core/protocol/a.ts', `import type { b } from '../b.ts';`],
    ['collector/a.ts', `import { b } from '../core/b.ts';\nimport { readSync } from 'node:fs';`],
    ['agent/store/a.ts', `import Database from 'better-sqlite3';\nimport { c } from '../../collector/c.ts';`],
    ['hub/a.ts', `export * from '../models/c.ts';`],
    ['cli/commands/a.ts', `const { run } = await import('../../agent/c.ts');`],
    ['test/a.ts', `import { b } from '../build/b.ts';`],
    ['agent/a.ts', `// import { b } from '../cli/b.ts';\nconst s = "import '../cli/b.ts'";`],
    ['core/a.ts', `const letters = Array.from('fs');`],
  ])('%s may: %s', (path, text) => {
    expect(offences(path, text)).toEqual([]);
  });

  it.each([
    [
      'core/a.ts',
      `import { b } from '../collector/b.ts';`,
      /^core\/a\.ts:1: core\/ may not import collector\//,
    ],
    ['core/a.ts', `import type { b } from '../agent/b.ts';`, /may not import agent\//],
    ['core/a.ts', `import { readSync } from 'node:fs';`, /imports nothing that is not ours: 'node:fs'/],
    ['core/a.ts', `import fc from 'fast-check';`, /'fast-check'/],
    ['core/a.ts', `import 'node:fs';`, /'node:fs'/],
    [
      'collector/procfs/a.ts',
      `\n\nimport { b } from '../../agent/b.ts';`,
      /^collector\/procfs\/a\.ts:3: .*agent\//,
    ],
    ['agent/a.ts', `import {\n  b,\n} from '../cli/b.ts';`, /^agent\/a\.ts:3: agent\/ may not import cli\//],
    ['agent/a.ts', `export { b } from '../hub/b.ts';`, /may not import hub\//],
    ['models/a.ts', `await import('../agent/b.ts');`, /may not import agent\//],
    ['models/a.ts', 'await import(`../agent/b.ts`);', /may not import agent\//],
    [
      'build/a.ts',
      `import { b } from '../core/b.ts';`,
      /build\/ may not import core\/ \(it may: agent, cli\)/,
    ],
    ['cli/a.ts', `import { b } from '../test/b.ts';`, /may not import test\//],
    ['agent/a.ts', `import { b } from '../../elsewhere/b.ts';`, /outside the repository/],
  ])('%s may not: %s', (path, text, message) => {
    const found = offences(path, text);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });
});

describe('a pure core', () => {
  it.each([
    'const day = new Date(timeMs).toISOString();',
    'const at = Date.UTC(2020, 0, 1);',
    'const hour = new Date(timeMs).getUTCHours();',
    'const root = Math.sqrt(Math.abs(Math.floor(x))) + Math.PI * Math.LN2;',
    'const z = Math.imul(a, b) / Math.fround(c);',
    'interface A { readonly date: Date; performance: number; process: string; fetch: () => void }',
    'const shown = a.process.b + a.fetch() + this.console.c + a.Math.log(1);',
    '/** Date.now() and Math.log, x ** 2 */ const a = 1; // Math.random()',
    "const text = 'Math.random() or process.env';",
    'const pattern = /Math.random()|process.env|"/; const b = 1;',
    'const half = a / 2; const c = d / e; // process.exit(1) /',
    'const words = `console.log(${name}) ** process.exit`;',
    'const sum = xs.reduce((a, b) => a + b) / 2;\nconst quote = "it\'s /* no comment";',
    'const processes = 3; const mathematics = 1; const consoles = 1;',
    'declare const dataView: DataView; const r = random.next();',
  ])('allows %s', (text) => {
    expect(offences('core/a.ts', text)).toEqual([]);
  });

  it.each([
    ['const now = Date.now();', 'knows no clock'],
    ['const now = new Date();', 'knows no clock'],
    ['const now = Date();', 'knows no clock'],
    ['const now = performance.now();', 'knows no clock'],
    ['setTimeout(f, 1);', 'knows no clock'],
    ['const clock = Date.now;', 'knows no clock'],
    ['const hour = new Date(timeMs).getHours();', 'time zone'],
    ['const x = Math.random();', 'knows no randomness'],
    ['const x = globalThis.Math.random();', 'knows no randomness'],
    ['const id = crypto.randomUUID();', 'knows no randomness'],
    ['const home = process.env.HOME;', 'no I/O'],
    ["console.log('x');", 'no I/O'],
    ["const page = fetch('x');", 'no I/O'],
    ['const x = Math.log(2);', 'use core/math.ts'],
    ['const x = Math.exp(2) + 1;', 'use core/math.ts'],
    ['const x = Math.hypot(3, 4);', 'use core/math.ts'],
    ['const { sinh } = Math;', 'use core/math.ts'],
    ['const x = y ** 2;', 'use core/math.ts'],
    ['names.sort((a, b) => a.localeCompare(b));', 'locale'],
    ['const text = n.toLocaleString();', 'locale'],
    ['const shown = `${Math.log(x)} nats`;', 'use core/math.ts'],
    ['const shown = `${`${Math.log(x)}`} nats`;', 'use core/math.ts'],
    ['const shown = `${{ a: 1 }.a}` + Math.log(x);', 'use core/math.ts'],
    ['const half = a / Math.log(x) / 2;', 'use core/math.ts'],
    ['const p = /[/"]/; Math.log(x);', 'use core/math.ts'],
    ["const c = '\\''; Math.log(x);", 'use core/math.ts'],
  ])('refuses %s', (text, message) => {
    const found = offences('core/a.ts', `const one = 1;\n${text}\n`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('core/a.ts:2: ');
    expect(found[0]).toContain(message);
  });

  it('leaves the other folders their clocks', () => {
    expect(offences('agent/a.ts', 'const now = Date.now() + Math.log(process.pid) + Math.random();')).toEqual(
      [],
    );
  });
});

describe('leaving and printing', () => {
  it('lets only cli/main.ts end the process', () => {
    expect(offences('cli/main.ts', 'process.exit(1);')).toEqual([]);
    expect(offences('cli/commands/a.ts', 'process.exit(1);')).toEqual([
      'cli/commands/a.ts:1: process.exit: only cli/main.ts ends the process',
    ]);
    expect(offences('agent/a.ts', '\nprocess.exit(1);')[0]).toMatch(/^agent\/a\.ts:2: /);
    expect(offences('agent/a.ts', 'process.exitCode = 1; process.on("exit", f);')).toEqual([]);
    expect(offences('test/a.ts', 'process.exit(1);')).toEqual([]);
  });

  it('lets only cli/ print', () => {
    expect(offences('cli/a.ts', 'console.log(1);')).toEqual([]);
    expect(offences('hub/a.ts', 'console.error(1);')[0]).toContain('only cli/ prints');
    expect(offences('build/a.ts', 'console.log(1);')).toEqual([]);
  });
});
