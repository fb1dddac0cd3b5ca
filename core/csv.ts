/** CSV by the line: what the replay and the central command line share. */

export const LINE_BYTES_MAX = 64 << 10;

/** `tooLong`: the text is the beginning of the line only. `binary`: it holds a NUL. */
export interface Line {
  readonly number: number;
  readonly text: string;
  readonly tooLong: boolean;
  readonly binary: boolean;
}

/** Cuts chunks of bytes into lines and never holds more than one chunk and one line of LINE_BYTES_MAX. */
export class LineSplitter {
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #lastLineEnd = 0;
  #carry: Buffer[] = [];
  #carryBytes = 0;
  #tooLong = false;
  #number = 0;

  /** Only after `next` returned null: the rest of the chunk before would be lost. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
    this.#lastLineEnd = chunk.lastIndexOf(10) + 1;
  }

  /** Lines given so far. */
  get count(): number {
    return this.#number;
  }

  /**
   * Offers the whole lines of the chunk that come next as bytes, until one is declined; `next` gives that one.
   * @param take gets where a line begins and the end of the last whole one, behind its line feed; returns where the
   *   line after begins, or -1
   */
  takeWhile(take: (chunk: Buffer, at: number, end: number, number: number) => number): void {
    // What was carried over belongs to the line, and a byte order mark to the first.
    if (this.#carryBytes > 0 || this.#tooLong || this.#number === 0) return;
    const end = this.#lastLineEnd;
    while (this.#at < end) {
      const next = take(this.#chunk, this.#at, end, this.#number + 1);
      if (next < 0) return;
      this.#at = next;
      this.#number++;
    }
  }

  /** The next whole line, or null when more bytes are wanted. */
  next(): Line | null {
    const end = this.#chunk.indexOf(10, this.#at);
    if (end < 0) {
      this.#keep(this.#chunk.subarray(this.#at));
      this.#at = this.#chunk.length;
      return null;
    }
    const piece = this.#chunk.subarray(this.#at, end);
    this.#at = end + 1;
    return this.#line(piece);
  }

  /** The last line, where it has no line feed. */
  end(): Line | null {
    const nothing = this.#carryBytes === 0 && !this.#tooLong;
    return nothing ? null : this.#line(Buffer.alloc(0));
  }

  #keep(piece: Buffer): void {
    const room = LINE_BYTES_MAX - this.#carryBytes;
    if (piece.length > room) this.#tooLong = true;
    if (piece.length === 0 || room <= 0) return;
    // Copied: a view would hold the whole chunk.
    const kept = Buffer.from(piece.subarray(0, room));
    this.#carry.push(kept);
    this.#carryBytes += kept.length;
  }

  #line(piece: Buffer): Line {
    let bytes = piece;
    if (this.#carryBytes > 0 || this.#tooLong) {
      this.#keep(piece);
      bytes = Buffer.concat(this.#carry);
    }
    const tooLong = this.#tooLong || bytes.length > LINE_BYTES_MAX;
    this.#carry = [];
    this.#carryBytes = 0;
    this.#tooLong = false;
    this.#number++;
    let text = bytes.toString('utf8', 0, Math.min(bytes.length, LINE_BYTES_MAX));
    if (text.endsWith('\r')) text = text.slice(0, -1);
    if (this.#number === 1 && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    return { number: this.#number, text, tooLong, binary: text.includes('\0') };
  }
}

/** The cells of one line (RFC 4180, save that a quoted cell can't hold a line feed), trimmed. */
export function parseCells(line: string): string[] {
  if (!line.includes('"')) {
    const cells = line.split(',');
    for (let i = 0; i < cells.length; i++) cells[i] = cells[i]!.trim();
    return cells;
  }
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!;
    if (quoted && char === '"' && line[i + 1] === '"') {
      cell += '"';
      i++;
    } else if (char === '"' && (quoted || cell.trim() === '')) {
      quoted = !quoted;
    } else if (char === ',' && !quoted) {
      cells.push(cell.trim());
      cell = '';
    } else {
      cell += char;
    }
  }
  cells.push(cell.trim());
  return cells;
}

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s?(?:(Z)|([+-])(\d\d):?(\d\d)?)?$/i;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** 1973 as milliseconds, the year 5138 as seconds. */
export const SECONDS_MAX = 1e11;
/** The year 5138. */
export const MILLISECONDS_MAX = 1e14;

/**
 * Unix milliseconds of an ISO 8601 date (UTC unless it names its zone), epoch seconds (below 1e11) or epoch
 * milliseconds; NaN for anything else, and for dates that no calendar has.
 */
export function parseTimestamp(text: string): number {
  if (NUMBER.test(text)) {
    const value = Number(text);
    if (!(value >= 0 && value < MILLISECONDS_MAX)) return Number.NaN;
    return Math.round(value < SECONDS_MAX ? value * 1000 : value);
  }
  const match = ISO.exec(text);
  if (!match) return Number.NaN;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', , sign] = match;
  const offsetMinutes = sign ? Number(match[10]) * 60 + Number(match[11] ?? 0) : 0;
  const inRange = +hour < 24 && +minute < 60 && +second < 61 && offsetMinutes < 24 * 60;
  const dayMs = Date.UTC(+year!, +month! - 1, +day!);
  // The 31st of June rolls over.
  if (!inRange || new Date(dayMs).getUTCDate() !== +day! || +month! > 12 || +month! < 1) return Number.NaN;
  const timeMs = ((+hour * 60 + +minute) * 60 + +second) * 1000 + Math.floor(Number(`0.${fraction}`) * 1000);
  return dayMs + timeMs - (sign === '-' ? -offsetMinutes : offsetMinutes) * 60_000;
}

export type Cell = 'value' | 'missing' | 'notNumeric' | 'notFinite';

const MISSING = new Set(['', 'nan', 'null', 'none', 'na', 'n/a', '-nan', '#n/a', 'nil']);

/** What stands in a cell; its value is `Number(text)` where that is 'value'. */
export function classifyCell(text: string): Cell {
  if (NUMBER.test(text)) return Number.isFinite(Number(text)) ? 'value' : 'notFinite';
  const lower = text.toLowerCase();
  if (MISSING.has(lower)) return 'missing';
  return /^[+-]?inf(?:inity)?$/.test(lower) ? 'notFinite' : 'notNumeric';
}
