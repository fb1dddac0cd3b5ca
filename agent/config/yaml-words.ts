import type { YAMLError } from 'yaml';
import { printable } from '../log.ts';

/** What YAML's parser means, in words that lead to the mend. */

export interface Fault {
  readonly offset: number;
  readonly words: string;
}

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

/** A fault of the syntax: where a person finds it, which is not always where the parser gave up. */
export function syntaxFault({ code, message, pos }: YAMLError, text: string): Fault {
  const [offset] = pos;
  const lines = text.slice(lineStart(text, offset)).split(/\r?\n/);
  const line = lines[0] as string;
  const rest = text.slice(offset).split(/\r?\n/)[0] as string;
  const there = (words: string): Fault => ({ offset, words });
  const bare = brokenSetting(line);
  switch (code as string) {
    case 'TAB_AS_INDENT':
      return there('a tab: indent with blanks');
    case 'BAD_ALIAS':
      return there('a value that begins with * or & needs quotes, e.g. "0 2 * * sun"');
    case 'BAD_SCALAR_START':
      return there(`a value that begins with ${printable(rest.charAt(0))} needs quotes`);
    case 'BAD_DQ_ESCAPE':
      return there('in double quotes a \\ begins an escape; use single quotes');
    case 'DUPLICATE_KEY':
      return there(`"${shortened(printable(rest.split(':')[0]))}" is there twice; keep one of them`);
    case 'UNEXPECTED_TOKEN':
      return there(bare ?? `this does not belong here: ${shortened(printable(rest))}`);
    case 'MULTIPLE_DOCS':
      return there('a second document begins here; a configuration is one: remove the line ---');
    case 'BLOCK_AS_IMPLICIT_KEY':
      if (/:\s/.test(rest)) return there('a value that holds a colon and a blank needs quotes');
      return { offset: offset + rest.length + 1, words: INDENTED };
    case 'BAD_INDENT':
      if (/end with a [}\]]/.test(message)) return unclosed(message, text, offset);
      return there(INDENTED);
    case 'MULTILINE_IMPLICIT_KEY':
    case 'MISSING_CHAR': {
      const [, quote] = /closing (["'])/.exec(message) ?? [];
      if (quote !== undefined) {
        const opened = Math.max(0, text.lastIndexOf(quote, offset - 1));
        return { offset: opened, words: `the quote ${quote} that is opened here is not closed` };
      }
      if (/end with a [}\]]/.test(message)) return unclosed(message, text, offset);
      if (/without - indicator/.test(message)) return there(INDENTED);
      if (bare !== undefined) return there(bare);
    }
  }
  return there(firstLine(message));
}

const INDENTED =
  'the indentation fits no line above; settings of one level begin in the same column, those of a group two blanks further right';

/** A line that was meant as a setting and is none. */
export function brokenSetting(line: string): string | undefined {
  const [, key, sign, value] = /^\s*(?:-\s+)?([\w.-]+)(\s*[:=]\s*|\s+)(.*)$/.exec(line) ?? [];
  if (key === undefined || sign === undefined) {
    return line.includes(':') ? undefined : 'expected `key: value`; a colon is missing';
  }
  const shown = `\`${shortened(printable(`${key}: ${value}`))}\``;
  if (sign.trim() === '=') return `expected ${shown}, with a colon instead of =`;
  if (sign === ':' && value !== '') return `expected ${shown}, with a blank after the colon`;
  return sign.trim() === '' ? `expected ${shown}; the colon is missing` : undefined;
}

function unclosed(message: string, text: string, offset: number): Fault {
  const close = /end with a ([}\]])/.exec(message)?.[1] as string;
  const open = close === '}' ? '{' : '[';
  const opened = text.lastIndexOf(open, offset - 1);
  return {
    offset: opened < 0 ? offset : opened,
    words: `the ${open} that is opened here is not closed with ${close}`,
  };
}

/** What is taken literally here and was hardly meant so; undefined where there is nothing to say. */
export function literalFault(raw: unknown, source: string, isPath: boolean): string | undefined {
  if (source.startsWith('{{')) return 'a template that was not filled in';
  for (const text of textsOf(raw)) {
    if (/^[“”„«‘’‚‹].*[“”»‘’›]$/su.test(text))
      return 'these quotes belong to the value; write " or \' instead';
    if (/\$\{\w*\}/.test(text)) return 'variables are not replaced in this file; write the value';
  }
  if (isPath && typeof raw === 'string' && raw.startsWith('~'))
    return '~ is not replaced in this file; write the whole path';
  return undefined;
}

function textsOf(raw: unknown): string[] {
  if (typeof raw === 'string') return [raw];
  return typeof raw === 'object' && raw !== null ? Object.values(raw).flatMap(textsOf) : [];
}

/** A blank that is none for YAML, as a browser or a word processor gives it; offset of the first that indents or separates. */
export function foreignBlank(text: string): number | undefined {
  const found =
    /^[ \t]*(?:-? *)([\u00a0\u2000-\u200b\u202f\u3000])|^[ \t-]*[\w.-]+:([\u00a0\u2000-\u200b\u202f\u3000])/mu.exec(
      text,
    );
  return found === null ? undefined : found.index + found[0].length - 1;
}

const lineStart = (text: string, offset: number): number => text.lastIndexOf('\n', offset - 1) + 1;

const firstLine = (message: string): string =>
  (message.split('\n')[0] as string).replace(/ at line \d+, column \d+:?$/, '');
