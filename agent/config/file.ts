import { readFileSync, statSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { printable } from '../log.ts';
import type { MaintenanceWindow } from '../maintenance.ts';
import { ConfigError, type Origin, type Settings, type SinkConfig } from './config.ts';
import { KEY_BY_PATH, KEYS } from './keys.ts';

const MAX_CONFIG_BYTES = 256 * 1024;

/** Reads and checks a configuration file. @throws ConfigError listing every fault with its line and column */
export function readConfigFile(path: string): Settings {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > MAX_CONFIG_BYTES)
      throw new ConfigError(`${path}: ${size} bytes; at most ${MAX_CONFIG_BYTES} are read`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'no such file'
        : code === 'EACCES'
          ? 'not readable by this user'
          : code === 'EISDIR'
            ? 'is a folder'
            : String(code);
    throw new ConfigError(`${path}: ${why}; expected a YAML file`);
  }
  return parseConfig(text, path);
}

export function parseConfig(text: string, path: string): Settings {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    maxAliasCount: 100,
  } as object);
  const faults: string[] = [];
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  let aliasLine = 0;
  for (const { pos, code, message } of document.errors) {
    const { line } = lines.linePos(pos[0]);
    // What follows in that line follows from it.
    if (line === aliasLine) continue;
    if (code === 'BAD_ALIAS') aliasLine = line;
    const found = text.slice(pos[0]).split('\n')[0] as string;
    faults.push(`${at(pos[0])}: ${yamlWords(code, found) ?? firstLine(message)}`);
  }
  const values = new Map<string, unknown>();
  const sinks: SinkConfig[] = [];
  const origins = new Map<string, Origin>();
  const root = document.contents;
  if (faults.length === 0 && isMap(root)) {
    const context: Walk = { at, faults, lists: { sinks: [], maintenance: [] } };
    walk(root, '', context, (key, value, written, where) => {
      values.set(key, value);
      origins.set(key, { from: where, written });
    });
    for (const [list, entries] of Object.entries(context.lists)) {
      for (const [i, { origin }] of entries.entries()) {
        for (const [key, value] of origin) origins.set(`${list}[${i}].${key}`, value);
      }
    }
    for (const { entry } of context.lists.sinks) {
      sinks.push({ name: String(entry['type']), ...entry } as SinkConfig);
    }
    const windows = context.lists.maintenance.map(({ entry }) => windowOf(entry));
    if (windows.length > 0) values.set('maintenance', windows);
  } else if (faults.length === 0 && root !== null && !(isScalar(root) && root.value === null)) {
    faults.push(`${path}:1:1: expected settings as \`key: value\``);
  }
  if (faults.length > 0) throw new ConfigError(faults.join('\n'));
  return { values, sinks, origins };
}

/** What YAML means by it, in words that lead to the mend. */
function yamlWords(code: string, found: string): string | undefined {
  if (code === 'TAB_AS_INDENT') return 'a tab: indent with blanks';
  if (code === 'BAD_ALIAS') return 'a value that begins with * or & needs quotes, e.g. "0 2 * * sun"';
  if (code === 'DUPLICATE_KEY') {
    const key = printable(found.split(':')[0]);
    return `"${shorten(key)}" is there twice; keep one of them`;
  }
  return undefined;
}

const firstLine = (message: string): string =>
  (message.split('\n')[0] as string).replace(/ at line \d+, column \d+:?$/, '');

interface Walk {
  readonly at: (offset: number) => string;
  readonly faults: string[];
  readonly lists: Readonly<Record<List, Entry[]>>;
}

type List = 'sinks' | 'maintenance';

interface Entry {
  readonly entry: Readonly<Record<string, unknown>>;
  readonly origin: ReadonlyMap<string, Origin>;
}

/** What an entry can't be without, and how one begins. */
const LISTS: Readonly<Record<List, { readonly needs: readonly string[]; readonly example: string }>> = {
  sinks: { needs: ['type'], example: '- type: mqtt' },
  maintenance: { needs: ['schedule', 'duration'], example: '- schedule: "0 2 * * sun"' },
};

const windowOf = (entry: Readonly<Record<string, unknown>>): MaintenanceWindow => ({
  name: (entry['name'] as string | undefined) ?? 'maintenance',
  schedule: entry['schedule'] as string,
  durationMs: entry['duration'] as number,
  timezone: (entry['timezone'] as string | undefined) ?? null,
  training: (entry['training'] as MaintenanceWindow['training'] | undefined) ?? 'exclude',
});

type Put = (path: string, value: unknown, written: string, where: string) => void;

function walk(map: YAMLMap, prefix: string, context: Walk, put: Put): void {
  for (const pair of map.items) {
    const keyNode = pair.key as Node;
    const name = isScalar(keyNode) ? String(keyNode.value) : '';
    const path = prefix + name;
    const where = context.at(keyNode.range?.[0] ?? 0);
    const value = pair.value as Node | null;
    const key = KEY_BY_PATH.get(path);
    if (key !== undefined) {
      const raw = value === null ? null : value.toJSON();
      const parsed = key.parse(raw);
      if (parsed === undefined) {
        const place = value?.range ? context.at(value.range[0]) : where;
        context.faults.push(
          `${place}: ${path}: expected ${key.expected}, found ${shorten(printable(JSON.stringify(raw)))}`,
        );
      } else put(path, parsed, asWritten(raw), where.replace(/:\d+$/, ''));
    } else if (path === 'sinks' || path === 'maintenance') {
      if (isSeq(value)) for (const item of value.items) readEntry(path, item as Node, context);
      else
        context.faults.push(
          `${where}: ${path}: expected a list, each entry beginning with \`${LISTS[path].example}\``,
        );
    } else if (KEYS.some((other) => other.path.startsWith(`${path}.`))) {
      if (isMap(value)) walk(value, `${path}.`, context, put);
      else context.faults.push(`${where}: ${path}: expected a map with ${childrenOf(path)}`);
    } else {
      context.faults.push(`${where}: unknown setting "${shorten(printable(path))}"${suggest(path)}`);
    }
  }
}

function readEntry(list: List, item: Node, context: Walk): void {
  const { needs, example } = LISTS[list];
  const where = context.at(item.range?.[0] ?? 0);
  if (!isMap(item)) {
    context.faults.push(`${where}: ${list}: expected \`${example}\` and its settings`);
    return;
  }
  const entry: Record<string, unknown> = {};
  const origin = new Map<string, Origin>();
  const prefix = `${list}[].`;
  walk(item, prefix, context, (path, value, written, from) => {
    const key = path.slice(prefix.length);
    entry[key] = value;
    origin.set(key, { from, written });
  });
  for (const need of needs) {
    if (item.has(need)) continue;
    const expected = KEY_BY_PATH.get(prefix + need)?.expected;
    context.faults.push(`${where}: ${list}: \`${need}\` is missing, expected ${expected}`);
  }
  if (needs.every((need) => entry[need] !== undefined)) context.lists[list].push({ entry, origin });
}

const asWritten = (raw: unknown): string => (typeof raw === 'string' ? raw : JSON.stringify(raw));

const childrenOf = (path: string): string =>
  KEYS.filter((key) => key.path.startsWith(`${path}.`))
    .map((key) => key.path.slice(path.length + 1))
    .join(', ');

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

/** The nearest known key, if it is near enough to be meant. */
export function suggest(path: string): string {
  // Half a name is meant: token for tokenFile.
  const begun = KEYS.find((key) => key.path.startsWith(path) && !path.endsWith('.'));
  if (begun !== undefined && path.length >= 3) {
    const [group = ''] = begun.path.split(/\[]|\./);
    return `; did you mean "${path.includes('.') ? begun.path : group}"?`;
  }
  let best = '';
  let bestDistance = Math.max(2, Math.floor(path.length / 3)) + 1;
  const known = new Set(KEYS.flatMap((key) => [key.path, key.path.split('.')[0] as string]));
  for (const candidate of known) {
    const distance = editDistance(path.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === '' ? '' : `; did you mean "${best}"?`;
}

/** Levenshtein 1966. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
