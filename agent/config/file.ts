import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { printable } from '../log.ts';
import type { MaintenanceWindow } from '../maintenance.ts';
import { ConfigError, type Origin, type Settings, type SinkConfig } from './config.ts';
import { KEY_BY_PATH, KEYS } from './keys.ts';
import { hideUser, suggest } from './suggest.ts';
import { brokenSetting, foreignBlank, literalFault, syntaxFault } from './yaml-words.ts';

const MAX_CONFIG_BYTES = 256 * 1024;

/** Reads and checks a configuration file. @throws ConfigError listing every fault with its line and column */
export function readConfigFile(path: string): Settings {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > MAX_CONFIG_BYTES)
      throw new ConfigError(`${path}: ${size} bytes; at most ${MAX_CONFIG_BYTES} are read`);
    text = decode(readFileSync(path), path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'no such file'
        : code === 'EACCES'
          ? 'not readable by this user (try as root, or as the user that the agent runs as)'
          : code === 'EISDIR'
            ? 'is a folder'
            : String(code);
    throw new ConfigError(`${path}: ${why}; expected a YAML file`);
  }
  return parseConfig(text, path);
}

/** @throws ConfigError where it is no UTF-8, which would arrive as replacement characters in names and topics */
function decode(bytes: Buffer, path: string): string {
  const [first, second] = bytes;
  const utf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (utf16 || bytes.includes(0)) {
    throw new ConfigError(`${path}: ${utf16 ? 'is UTF-16' : 'holds NUL bytes'}; expected a text in UTF-8`);
  }
  if (!isUtf8(bytes)) {
    // The first replacement character is where the bytes stop being UTF-8, unless one was really written before.
    const before = bytes.toString('utf8').split('\ufffd')[0] as string;
    throw new ConfigError(`${path}:${before.split('\n').length}: is not UTF-8; save the file as UTF-8`);
  }
  return bytes.toString('utf8').replace(/^\ufeff/, '');
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
  const blank = foreignBlank(text);
  if (blank !== undefined) {
    faults.push(`${at(blank)}: a blank that only looks like one (${codePoint(text, blank)}): type it anew`);
  } else faults.push(...syntaxFaults(document.errors, text, at));
  const values = new Map<string, unknown>();
  const sinks: SinkConfig[] = [];
  const origins = new Map<string, Origin>();
  const root = document.contents;
  if (faults.length === 0 && isMap(root)) {
    const context: Walk = { text, at, faults, lists: { sinks: [], maintenance: [] } };
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
    const line = text.split(/\r?\n/).find((one) => /^\s*[^\s#]/.test(one)) ?? '';
    const offset = root.range?.[0] ?? 0;
    faults.push(
      `${at(offset)}: ${(isScalar(root) ? brokenSetting(line) : undefined) ?? 'expected settings as `key: value`'}`,
    );
  }
  if (faults.length > 0) throw new ConfigError(faults.join('\n'));
  return { values, sinks, origins };
}

const codePoint = (text: string, offset: number): string =>
  `U+${(text.codePointAt(offset) as number).toString(16).toUpperCase().padStart(4, '0')}`;

function syntaxFaults(errors: readonly YAMLError[], text: string, at: (offset: number) => string): string[] {
  const faults: string[] = [];
  // What follows in a line follows from its first fault, and what is not closed swallows what comes after it.
  const lines = new Set<string>();
  for (const error of errors) {
    const { offset, words } = syntaxFault(error, text);
    const line = at(error.pos[0]).replace(/:\d+$/, '');
    const place = at(offset);
    if (lines.has(line) || lines.has(place.replace(/:\d+$/, ''))) continue;
    lines.add(line).add(place.replace(/:\d+$/, ''));
    faults.push(`${place}: ${words}`);
  }
  return faults;
}

interface Walk {
  readonly text: string;
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
      const place = value?.range ? context.at(value.range[0]) : where;
      const source = value?.range ? context.text.slice(value.range[0], value.range[1]) : '';
      const literal = literalFault(raw, source, key.expected === 'a path');
      if (literal !== undefined) context.faults.push(`${place}: ${path}: ${literal}`);
      else if (parsed === undefined) {
        context.faults.push(`${place}: ${path}: expected ${key.expected}, found ${found(path, raw)}`);
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

/** A fault of a url may be one of its password. */
function found(path: string, raw: unknown): string {
  if (raw === null) return 'nothing';
  const shown = path.endsWith('.url') ? hideUser(String(raw)) : raw;
  return shorten(printable(JSON.stringify(shown)));
}

const asWritten = (raw: unknown): string => (typeof raw === 'string' ? raw : JSON.stringify(raw));

const childrenOf = (path: string): string =>
  KEYS.filter((key) => key.path.startsWith(`${path}.`))
    .map((key) => key.path.slice(path.length + 1))
    .join(', ');

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
