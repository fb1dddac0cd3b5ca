/** Reads TypeScript as far as style checks need it: what is code, what is comment, what is text. */

export interface SourceText {
  /**
   * The file with comments, and the insides of strings and regular expressions, turned into spaces: same length,
   * same lines, so that a match's position is a position in the file. `${…}` in templates stays code.
   */
  readonly code: string;
  /** Specifiers of imports, re-exports, `import()` and `require()`, with where they stand. */
  readonly imports: readonly { readonly specifier: string; readonly at: number }[];
}

const IMPORT = /\b(?:from|import|require)\s*\(?\s*(["'`])/g;
/** After these a slash begins a regular expression; after any other word it divides. */
const BEFORE_EXPRESSION =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|instanceof|new|throw|yield|await)$/;

export function readSource(text: string): SourceText {
  const code = blank(text);
  const imports = [...code.matchAll(IMPORT)].flatMap((match) => {
    const start = match.index + match[0].length;
    const end = text.indexOf(match[1]!, start);
    // `Array.from('abc')` reads the same; an import's word never follows a dot.
    return code[match.index - 1] === '.' ? [] : [{ specifier: text.slice(start, end), at: match.index }];
  });
  return { code, imports };
}

export function lineOf(text: string, at: number): number {
  return text.slice(0, at).split('\n').length;
}

function blank(text: string): string {
  const out = text.split('');
  const erase = (from: number, to: number): void => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' ';
  };
  // Depth of braces at which each open `${` began: its `}` leads back into the template.
  const templates: number[] = [];
  let depth = 0;
  let at = 0;

  /** From inside a template to its closing backtick or its next `${`. */
  const template = (from: number): number => {
    let i = from;
    while (i < text.length && text[i] !== '`' && !text.startsWith('${', i)) i += text[i] === '\\' ? 2 : 1;
    erase(from, Math.min(i, text.length));
    if (text[i] !== '$') return i + 1;
    templates.push(depth);
    return i + 2;
  };

  while (at < text.length) {
    const character = text[at]!;
    if (text.startsWith('//', at)) {
      const end = endOr(text.indexOf('\n', at), text.length);
      erase(at, end);
      at = end;
    } else if (text.startsWith('/*', at)) {
      const end = endOr(text.indexOf('*/', at + 2), text.length - 2) + 2;
      erase(at, end);
      at = end;
    } else if (character === '"' || character === "'") {
      let end = at + 1;
      while (end < text.length && text[end] !== character && text[end] !== '\n')
        end += text[end] === '\\' ? 2 : 1;
      erase(at + 1, end);
      at = end + 1;
    } else if (character === '`') {
      at = template(at + 1);
    } else if (character === '}' && templates.at(-1) === depth) {
      templates.pop();
      at = template(at + 1);
    } else if (character === '/' && beginsRegex(out, at)) {
      const end = endOfRegex(text, at);
      erase(at + 1, end);
      at = end + 1;
    } else {
      if (character === '{') depth++;
      if (character === '}') depth--;
      at++;
    }
  }
  return out.join('');
}

function endOr(position: number, otherwise: number): number {
  return position === -1 ? otherwise : position;
}

/** A slash divides after a value: a name, a number, a closing bracket or quote. Anywhere else it begins a regex. */
function beginsRegex(out: readonly string[], at: number): boolean {
  const before = out
    .slice(Math.max(0, at - 200), at)
    .join('')
    .trimEnd();
  if (before === '' || BEFORE_EXPRESSION.test(before)) return true;
  return !/[\w$)\]}"'`]$/.test(before);
}

function endOfRegex(text: string, at: number): number {
  let inClass = false;
  let i = at + 1;
  while (i < text.length && text[i] !== '\n' && (inClass || text[i] !== '/')) {
    if (text[i] === '[') inClass = true;
    if (text[i] === ']') inClass = false;
    i += text[i] === '\\' ? 2 : 1;
  }
  return i;
}
