/**
 * A cursor over the text of a /proc file. Native indexOf finds the lines and a short loop reads the digits: no
 * regular expression and no array of lines, since this runs every second in an interpreter without a compiler.
 */
export class Scanner {
  readonly text: string;
  at: number;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }

  /** The next unsigned integer on this line, or NaN (and the cursor stays) where something else stands. */
  number(): number {
    const { text } = this;
    let at = this.at;
    let code = text.charCodeAt(at);
    while (code === 32 || code === 9) code = text.charCodeAt(++at);
    const start = at;
    let value = 0;
    while (code >= 48 && code <= 57) {
      value = value * 10 + (code - 48);
      code = text.charCodeAt(++at);
    }
    // Not one digit, or so many that it can't be a counter.
    if (at === start || at - start > 20) return Number.NaN;
    this.at = at;
    return value;
  }

  /** Skips words (whatever is not a blank) on this line. */
  skip(words: number): void {
    for (let i = 0; i < words; i++) this.word();
  }

  /** The next word on this line; empty at its end. */
  word(): string {
    const { text } = this;
    let at = this.at;
    let code = text.charCodeAt(at);
    while (code === 32 || code === 9) code = text.charCodeAt(++at);
    const start = at;
    // NaN (the end of the text) compares false.
    while (code > 32) code = text.charCodeAt(++at);
    this.at = at;
    return text.slice(start, at);
  }

  /** To the beginning of the next line; false at the end of the text. */
  nextLine(): boolean {
    const end = this.text.indexOf('\n', this.at);
    this.at = end < 0 ? this.text.length : end + 1;
    return this.at < this.text.length;
  }
}

/** The unsigned integer after a key that begins a line, e.g. ('MemTotal:'), or NaN. */
export function numberAfterKey(text: string, key: string): number {
  let at = text.startsWith(key) ? 0 : text.indexOf(`\n${key}`);
  if (at < 0) return Number.NaN;
  if (at > 0) at += 1;
  return new Scanner(text, at + key.length).number();
}
