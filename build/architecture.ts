import { posix } from 'node:path';
import { lineOf, readSource } from './source-text.ts';

/** Which folder may import which (docs/ARCHITECTURE.md); its own files always. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  collector: ['core'],
  models: ['core'],
  agent: ['core', 'collector', 'models'],
  hub: ['core', 'models'],
  cli: ['core', 'collector', 'models', 'agent', 'hub'],
  // A package is made of what the product says of itself: its unit, its commands, its configuration.
  build: ['agent', 'cli'],
  test: ['core', 'collector', 'models', 'agent', 'hub', 'cli', 'build'],
};

export const FOLDERS: readonly string[] = Object.keys(MAY_IMPORT);

/** What edgewood itself is made of, as against what builds and tests it. */
const PRODUCT = new Set(['core', 'collector', 'models', 'agent', 'hub', 'cli']);

interface Rule {
  readonly pattern: RegExp;
  readonly message: string;
}

/** A global, not a property of the same name and not a longer word. */
const global = (source: string, message: string): Rule => ({
  pattern: new RegExp(`(?<![\\w$.#])(?:globalThis\\.)?(?:${source})`, 'g'),
  message,
});

/** Each of these makes a result depend on when, where or how often the core is called. */
const CORE_RULES: readonly Rule[] = [
  // A date made from a time, and read as UTC, is arithmetic.
  global(
    '(?:new\\s+Date\\s*\\(\\s*\\)|Date\\.(?!UTC\\b)\\w+)',
    'core/ knows no clock: take the time as an argument',
  ),
  global('(?<!new\\s+)Date\\s*\\(', 'core/ knows no clock: take the time as an argument'),
  {
    pattern: /\.get(?:Date|Day|FullYear|Hours|Minutes|Month|TimezoneOffset)\s*\(/g,
    message: 'differs with the time zone: use the UTC one',
  },
  global('performance\\s*\\.', 'core/ knows no clock: take the time as an argument'),
  global('Math\\.random\\b', 'core/ knows no randomness: take a Random'),
  global('crypto\\s*\\.', 'core/ knows no randomness and no I/O'),
  global('process\\s*[.[]', 'core/ performs no I/O: take the value as an argument'),
  global('console\\s*\\.', 'core/ performs no I/O: return what is to be said'),
  global('fetch\\s*\\(', 'core/ performs no I/O'),
  global('(?:XMLHttpRequest|WebSocket|EventSource|Worker|BroadcastChannel)\\b', 'core/ performs no I/O'),
  global(
    '(?:setTimeout|setInterval|setImmediate|queueMicrotask)\\b',
    'core/ knows no clock: the caller schedules',
  ),
  global('(?:require|eval|Function)\\s*\\(', 'core/ loads no code at run time'),
  global('globalThis\\s*\\[', 'core/ reaches for no globals'),
  global(
    '(?:Intl\\s*\\.|Atomics\\s*\\.|WeakRef\\b|FinalizationRegistry\\b)',
    'differs from machine to machine',
  ),
  {
    pattern: /\.(?:toLocale\w*|localeCompare)\s*\(/g,
    message: 'differs with the locale: compare code units',
  },
  {
    // IEEE 754 fixes the bits of these; of everything else in Math, every libm has its own opinion.
    pattern:
      /(?<![\w$.#])Math\b(?!\.(?:abs|ceil|clz32|floor|fround|imul|max|min|round|sign|sqrt|trunc|random|E|LN2|LN10|LOG2E|LOG10E|PI|SQRT1_2|SQRT2)\b)/g,
    message: 'bits differ from machine to machine: use core/math.ts',
  },
  { pattern: /\*\*/g, message: 'bits of ** differ from machine to machine: multiply, or use core/math.ts' },
  { pattern: /(?<![\w$.#])import\s*\.\s*meta\b/g, message: 'core/ does not know where it lies' },
];

const EXIT: Rule = global(
  'process\\s*\\.\\s*(?:exit|abort|reallyExit)\\b',
  'only cli/main.ts ends the process',
);
const CONSOLE: Rule = global('console\\s*\\.', 'only cli/ prints for a person: use the log or return it');

/**
 * @param path from the repository's root, with forward slashes
 * @returns one message for each offence, `path:line: what and what instead`
 */
export function checkFile(path: string, text: string): string[] {
  const folder = path.split('/')[0] ?? '';
  const { code, imports } = readSource(text);
  const found: { at: number; message: string }[] = [];

  for (const { specifier, at } of imports) {
    const message = checkImport(path, folder, specifier);
    if (message !== undefined) found.push({ at, message });
  }
  const rules = [
    ...(folder === 'core' ? CORE_RULES : []),
    ...(PRODUCT.has(folder) && path !== 'cli/main.ts' ? [EXIT] : []),
    ...(PRODUCT.has(folder) && folder !== 'cli' && folder !== 'core' ? [CONSOLE] : []),
  ];
  for (const { pattern, message } of rules) {
    for (const match of code.matchAll(pattern)) {
      found.push({ at: match.index, message: `${match[0].trim()}: ${message}` });
    }
  }
  return found
    .sort((a, b) => a.at - b.at)
    .map(({ at, message }) => `${path}:${lineOf(text, at)}: ${message}`);
}

function checkImport(path: string, folder: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) {
    return folder === 'core' ? `core/ imports nothing that is not ours: '${specifier}'` : undefined;
  }
  const target = posix.join(posix.dirname(path), specifier);
  const [targetFolder = ''] = target.split('/');
  if (targetFolder === folder) return undefined;
  if (target.startsWith('..')) return `import from outside the repository: '${specifier}'`;
  if (!FOLDERS.includes(targetFolder) || MAY_IMPORT[folder]?.includes(targetFolder)) return undefined;
  const allowed = MAY_IMPORT[folder]?.join(', ');
  return `${folder}/ may not import ${targetFolder}/ (it may: ${allowed || 'nothing of ours'}): '${specifier}'`;
}
