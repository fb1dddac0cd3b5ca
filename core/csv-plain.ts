import { LINE_BYTES_MAX, MILLISECONDS_MAX, parseTimestamp, SECONDS_MAX } from './csv.ts';

const [LINE_FEED, RETURN, SPACE, PLUS, COMMA, MINUS, DOT, ZERO, COLON, UPPER_T, UPPER_Z, LOWER_E] = [
  10, 13, 32, 43, 44, 45, 46, 48, 58, 84, 90, 101,
] as const;

/** Digits that a double holds exactly, and powers of ten that it does: then one rounding is the right one (Clinger 1990). */
const DIGITS_EXACT = 15;
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
const POWER_MAX = POWERS_OF_TEN.length - 1;

/** `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM:SS`. */
const DATE_BYTES = 10;
const SECONDS_BYTES = 19;
/** Date.UTC takes smaller ones for years of the twentieth century. */
const YEAR_MIN = 1000;
const FRACTION_DIGITS = 9;
const NOT_DIGITS = -1e9;

/**
 * Lines as machines write them: numbers or nothing in every cell, epoch seconds or milliseconds or
 * `YYYY-MM-DD[T ]HH:MM:SS[.fff][Z]` as time, no quotes, no blanks. Read from the bytes, without a string. Whatever else
 * there is, is declined: `parseCells`, `classifyCell` and `parseTimestamp` decide, and where this one reads a line, it
 * reads what they would.
 */
export class PlainRows {
  /** Of the line last read: NaN where a cell is empty, and in the time's column. */
  readonly values: Float64Array;
  timeMs = Number.NaN;
  readonly #timeAt: number;
  #number = Number.NaN;
  /** `YYYYMMDD` of the date last met, and where it begins. */
  #date = 0;
  #dateMs = 0;

  /** @param timeAt the time's column */
  constructor(columns: number, timeAt: number) {
    this.values = new Float64Array(columns);
    this.#timeAt = timeAt;
  }

  /**
   * @param at where the line begins @param end behind a line feed: reading never passes it
   * @returns where the next line begins, or -1: not a plain line
   */
  read(bytes: Buffer, at: number, end: number): number {
    const { values } = this;
    let next = at;
    for (let column = 0; column < values.length; column++) {
      if (column > 0) {
        if (bytes[next] !== COMMA) return -1;
        next++;
      }
      if (column === this.#timeAt) {
        next = this.#readTime(bytes, next, end);
        values[column] = Number.NaN;
      } else {
        next = this.#readNumber(bytes, next);
        values[column] = this.#number;
      }
      if (next < 0) return -1;
    }
    if (bytes[next] === RETURN) next++;
    if (bytes[next] !== LINE_FEED || next - at > LINE_BYTES_MAX) return -1;
    return next + 1;
  }

  /** Into #number, NaN for an empty cell. @returns behind it, or -1 */
  #readNumber(bytes: Buffer, at: number): number {
    let next = at;
    let byte = bytes[next]!;
    if (byte === COMMA || byte === LINE_FEED || byte === RETURN) {
      this.#number = Number.NaN;
      return at;
    }
    const negative = byte === MINUS;
    if (negative || byte === PLUS) byte = bytes[++next]!;
    let mantissa = 0;
    let digits = 0;
    let exponent = 0;
    for (; byte >= ZERO && byte < COLON; byte = bytes[++next]!) {
      mantissa = mantissa * 10 + (byte - ZERO);
      digits++;
    }
    if (byte === DOT) {
      const before = digits;
      for (byte = bytes[++next]!; byte >= ZERO && byte < COLON; byte = bytes[++next]!) {
        mantissa = mantissa * 10 + (byte - ZERO);
        digits++;
      }
      exponent = before - digits;
    }
    if (digits === 0) return -1;
    let exact = digits <= DIGITS_EXACT;
    if ((byte | 32) === LOWER_E) {
      byte = bytes[++next]!;
      const down = byte === MINUS;
      if (down || byte === PLUS) byte = bytes[++next]!;
      const first = next;
      let power = 0;
      for (; byte >= ZERO && byte < COLON; byte = bytes[++next]!) {
        if (power < 1000) power = power * 10 + (byte - ZERO);
      }
      if (next === first) return -1;
      exponent += down ? -power : power;
    }
    exact &&= exponent >= -POWER_MAX && exponent <= POWER_MAX;
    if (exact) {
      const size = exponent < 0 ? mantissa / POWERS_OF_TEN[-exponent]! : mantissa * POWERS_OF_TEN[exponent]!;
      this.#number = negative ? -size : size;
      return next;
    }
    this.#number = Number(bytes.toString('latin1', at, next));
    return Number.isFinite(this.#number) ? next : -1;
  }

  /** Into timeMs. @returns behind it, or -1 */
  #readTime(bytes: Buffer, at: number, end: number): number {
    if (at + SECONDS_BYTES < end && bytes[at + 4] === MINUS) return this.#readDate(bytes, at);
    const next = this.#readNumber(bytes, at);
    const value = this.#number;
    if (next < 0 || !(value >= 0 && value < MILLISECONDS_MAX)) return -1;
    this.timeMs = Math.round(value < SECONDS_MAX ? value * 1000 : value);
    return next;
  }

  #readDate(bytes: Buffer, at: number): number {
    const year = twoDigits(bytes, at) * 100 + twoDigits(bytes, at + 2);
    const date = year * 10_000 + twoDigits(bytes, at + 5) * 100 + twoDigits(bytes, at + 8);
    const clock = at + DATE_BYTES + 1;
    const hour = twoDigits(bytes, clock);
    const minute = twoDigits(bytes, clock + 3);
    const second = twoDigits(bytes, clock + 6);
    const between = bytes[at + DATE_BYTES];
    if (
      !(year >= YEAR_MIN && date > 0 && hour >= 0 && minute >= 0 && second >= 0) ||
      !(hour < 24 && minute < 60 && second < 61) ||
      bytes[at + 7] !== MINUS ||
      (between !== UPPER_T && between !== SPACE) ||
      bytes[clock + 2] !== COLON ||
      bytes[clock + 5] !== COLON
    ) {
      return -1;
    }
    if (date !== this.#date) {
      const dateMs = parseTimestamp(bytes.toString('latin1', at, at + DATE_BYTES));
      if (Number.isNaN(dateMs)) return -1;
      this.#date = date;
      this.#dateMs = dateMs;
    }
    let next = at + SECONDS_BYTES;
    let fractionMs = 0;
    if (bytes[next] === DOT) {
      const first = ++next;
      let fraction = 0;
      for (let byte = bytes[next]!; byte >= ZERO && byte < COLON; byte = bytes[++next]!) {
        fraction = fraction * 10 + (byte - ZERO);
      }
      const digits = next - first;
      if (digits === 0 || digits > FRACTION_DIGITS) return -1;
      fractionMs = Math.floor((fraction / POWERS_OF_TEN[digits]!) * 1000);
    }
    if (bytes[next] === UPPER_Z) next++;
    this.timeMs = this.#dateMs + ((hour * 60 + minute) * 60 + second) * 1000 + fractionMs;
    return next;
  }
}

/** Far below 0 where they are none. */
function twoDigits(bytes: Buffer, at: number): number {
  const ten = bytes[at]! - ZERO;
  const one = bytes[at + 1]! - ZERO;
  return ten >= 0 && ten <= 9 && one >= 0 && one <= 9 ? ten * 10 + one : NOT_DIGITS;
}
