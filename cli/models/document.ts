import { printable } from '../../agent/log.ts';
import { aligned } from '../table.ts';

/** A page of facts, for a person at a terminal or as Markdown. Every text in it may come from anywhere. */
export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

export type Block =
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [name: string, value: string])[] }
  | {
      readonly kind: 'table';
      readonly heads: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'text'; readonly text: string };

export const facts = (...rows: (readonly [string, string])[]): Block => ({ kind: 'facts', rows });
export const table = (heads: readonly string[], rows: readonly (readonly string[])[]): Block => ({
  kind: 'table',
  heads,
  rows,
});
export const list = (items: readonly string[]): Block => ({ kind: 'list', items });
export const paragraph = (text: string): Block => ({ kind: 'text', text });

const WIDTH = 100;

export function toText(title: string, sections: readonly Section[]): string {
  const lines = [printable(title)];
  for (const section of sections) {
    lines.push('', section.title);
    for (const [i, block] of section.blocks.entries()) {
      if (i > 0) lines.push('');
      lines.push(...blockText(block));
    }
  }
  return `${lines.join('\n')}\n`;
}

function blockText(block: Block): string[] {
  switch (block.kind) {
    case 'facts': {
      const width = Math.max(0, ...block.rows.map(([name]) => name.length));
      return block.rows.flatMap(([name, value]) =>
        wrapped(printable(value), `  ${name.padEnd(width)}  `, ' '.repeat(width + 4)),
      );
    }
    case 'table':
      return aligned([block.heads, ...block.rows].map((row) => row.map(printable)));
    case 'list':
      return block.items.flatMap((item) => wrapped(printable(item), '  - ', '    '));
    case 'text':
      return wrapped(printable(block.text), '  ', '  ');
  }
}

function wrapped(text: string, first: string, others: string): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(' ')) {
    if (!empty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = others;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line.trimEnd()];
}

export function toMarkdown(title: string, sections: readonly Section[]): string {
  const lines = [`# ${markdown(title)}`];
  for (const section of sections) {
    lines.push('', `## ${markdown(section.title)}`);
    for (const block of section.blocks) lines.push('', ...blockMarkdown(block));
  }
  return `${lines.join('\n')}\n`;
}

function blockMarkdown(block: Block): string[] {
  const row = (cells: readonly string[]): string => `| ${cells.map(markdown).join(' | ')} |`;
  switch (block.kind) {
    case 'facts':
      return [row(['', '']), '| --- | --- |', ...block.rows.map(row)];
    case 'table':
      return [
        row(block.heads),
        `|${block.heads.map((_, i) => (i === 0 ? ' --- |' : ' ---: |')).join('')}`,
        ...block.rows.map(row),
      ];
    case 'list':
      return block.items.map((item) => `- ${markdown(item)}`);
    case 'text':
      return [markdown(block.text)];
  }
}

/** Text that stays text in Markdown: no emphasis, link, image, HTML, table cell, heading or list of its own. */
export function markdown(text: string): string {
  return printable(text)
    .replace(/[\\`*_{}[\]<>()#+!|~&@$]/g, '\\$&')
    .replace(/:\/\//g, '\\://')
    .replace(/\bwww\./gi, (start) => `${start.slice(0, -1)}\\.`)
    .replace(/^(\s*)([-=]|\d+(?=[.)](?:\s|$)))/, (_, blanks: string, start: string) =>
      /\d/.test(start) ? `${blanks}${start}\\` : `${blanks}\\${start}`,
    );
}
