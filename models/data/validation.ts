import { classifyCell, parseCells, parseTimestamp } from '../../core/csv.ts';
import { PlainRows } from '../../core/csv-plain.ts';
import { ColumnProfile, type ColumnReport } from './column-profile.ts';
import { ANY_NUMBER, type ColumnRule, type DataSchema } from './data-schema.ts';
import { UNLABELLED } from './recording.ts';
import { DataError, quoted, Table } from './table.ts';
import { TimeCheck } from './time-check.ts';

/** Lines that are named; the rest is counted. */
const OFFENCES_NAMED = 10;

export interface Offence {
  readonly line: number;
  readonly column: string | null;
  readonly reason: string;
}

export interface ValidationReport {
  readonly file: string;
  readonly rows: number;
  readonly columns: Readonly<Record<string, ColumnReport>>;
  /** Rows with the time of an earlier row; and of them, those that are the same in every cell. */
  readonly duplicates: number;
  readonly duplicateRows: number;
  readonly outOfOrder: number;
  readonly gaps: number;
  readonly irregular: number;
  readonly intervalMs: number | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly labelled: { readonly rows: number; readonly anomalous: number } | null;
  /** Rows in which anything is wrong. */
  readonly violations: number;
  readonly violationRate: number;
  readonly verdict: 'pass' | 'fail';
  readonly reasons: readonly string[];
  /** Worth knowing, and no violation. */
  readonly notes: readonly string[];
  readonly offences: readonly Offence[];
}

export interface ValidationOptions {
  readonly schema: DataSchema;
  /** A share of the rows: 0.05. */
  readonly maxViolationRate: number;
}

/** Columns that are no metric. */
export const SPECIAL: ReadonlySet<string> = new Set(['timestamp', 'label', 'probation']);

/** A row whose time could be read; cells that break a rule are NaN, as missing ones are. Reused by the next row. */
export interface CheckedRow {
  readonly timeMs: number;
  /** 0, 1, or UNLABELLED. */
  readonly label: number;
  /** In the order of `names`; NaN for columns that are no metric. */
  readonly values: Float64Array;
}

/**
 * Reads a file once, in bounded memory, and says whether a model may learn from it.
 * @param onRow gets every row that has a time, in the file's order
 * @throws DataError where it can't be read as a table at all
 */
export async function validateFile(
  path: string,
  options: ValidationOptions,
  onRow?: (row: CheckedRow, names: readonly string[]) => void,
): Promise<ValidationReport> {
  const table = await Table.open(path);
  const { schema } = options;
  const missingColumns = [...schema]
    .filter(([name, { required }]) => required && !table.names.includes(name))
    .map(([name]) => name);
  const features = table.names.filter((name) => !SPECIAL.has(name));
  if (features.length === 0) throw new DataError(`${table.path}, line 1: no column beside "timestamp".`);
  const check = new RowCheck(table.names, schema);
  const { current } = check;
  const plain = new PlainRows(table.names.length, table.names.indexOf('timestamp'));
  await table.scan(
    (chunk, at, end, line) => {
      const next = plain.read(chunk, at, end);
      if (next < 0 || !check.plainRow(plain, line, chunk, at, next)) return -1;
      onRow?.(current, table.names);
      return next;
    },
    (row) => {
      check.row(row);
      if (!Number.isNaN(current.timeMs)) onRow?.(current, table.names);
    },
  );
  return check.report(table.path, missingColumns, options.maxViolationRate);
}

/** The cells of a row whose time could be read; those of a plain line are read where somebody asks. */
class RowText {
  #cells: readonly string[] | null = null;
  #bytes: Buffer | null = null;
  #at = 0;
  #end = 0;

  setCells(cells: readonly string[]): void {
    this.#cells = cells;
    this.#bytes = null;
  }

  setBytes(bytes: Buffer, at: number, end: number): void {
    this.#cells = null;
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  cells(): readonly string[] {
    this.#cells ??= parseCells(this.#bytes?.toString('latin1', this.#at, this.#end) ?? '');
    return this.#cells;
  }
}

class RowCheck {
  readonly #names: readonly string[];
  readonly #rules: readonly (ColumnRule | null)[];
  readonly #profiles: readonly (ColumnProfile | null)[];
  /** Positions of the metrics, and the lowest and highest value that each may have. */
  readonly #metrics: Uint32Array;
  readonly #lows: Float64Array;
  readonly #highs: Float64Array;
  readonly #timeAt: number;
  readonly #labelAt: number;
  readonly #times: TimeCheck;
  #text = new RowText();
  #textBefore = new RowText();
  readonly #offences: Offence[] = [];
  readonly #labelled = { rows: 0, anomalous: 0 };
  #rows = 0;
  #violations = 0;
  #badLabels = 0;
  #offended = false;
  readonly current: { timeMs: number; label: number; values: Float64Array };

  constructor(names: readonly string[], schema: DataSchema) {
    this.#names = names;
    this.#timeAt = names.indexOf('timestamp');
    this.#labelAt = names.indexOf('label');
    this.#rules = names.map((name) => (SPECIAL.has(name) ? null : (schema.get(name) ?? ANY_NUMBER)));
    this.#profiles = names.map((name) => (SPECIAL.has(name) ? null : new ColumnProfile()));
    this.#metrics = Uint32Array.from(names.keys()).filter((i) => this.#rules[i] !== null);
    this.#lows = Float64Array.from(this.#rules, (rule) => rule?.min ?? Number.NEGATIVE_INFINITY);
    this.#highs = Float64Array.from(this.#rules, (rule) => rule?.max ?? Number.POSITIVE_INFINITY);
    this.#times = new TimeCheck(() => {
      const before = this.#textBefore.cells();
      return this.#text.cells().every((cell, i) => cell === before[i]);
    });
    this.current = {
      timeMs: Number.NaN,
      label: UNLABELLED,
      values: new Float64Array(names.length).fill(Number.NaN),
    };
  }

  row({ line, cells, fault }: { line: number; cells: readonly string[]; fault: string | null }): void {
    this.#rows++;
    this.#offended = false;
    this.current.timeMs = Number.NaN;
    this.current.label = UNLABELLED;
    if (fault !== null) {
      this.#offend(line, null, this.#faultWords(fault, cells.length));
    } else {
      this.#time(line, cells);
      for (let i = 0; i < cells.length; i++) this.#cell(line, i, cells[i] as string);
      if (this.#labelAt >= 0) this.#label(line, cells[this.#labelAt] as string);
    }
    if (this.#offended) this.#violations++;
  }

  /**
   * A row that broke no rule of a cell, from its numbers. Does what `row` would with its text.
   * @returns false where it broke one: then nothing was done
   */
  plainRow({ values, timeMs }: PlainRows, line: number, bytes: Buffer, at: number, end: number): boolean {
    const metrics = this.#metrics;
    for (let k = 0; k < metrics.length; k++) {
      const i = metrics[k]!;
      const x = values[i]!;
      if (Number.isNaN(x) ? this.#rules[i]!.required : x < this.#lows[i]! || x > this.#highs[i]!)
        return false;
    }
    const label = this.#labelAt < 0 ? Number.NaN : values[this.#labelAt]!;
    if (!Number.isNaN(label) && label !== 0 && label !== 1) return false;
    this.#rows++;
    this.#offended = false;
    const { current } = this;
    current.timeMs = timeMs;
    this.#text.setBytes(bytes, at, end);
    this.#orderOf(line, timeMs);
    for (let k = 0; k < metrics.length; k++) {
      const i = metrics[k]!;
      const x = values[i]!;
      const profile = this.#profiles[i]!;
      current.values[i] = x;
      if (Number.isNaN(x)) profile.counts.missing++;
      else profile.add(x);
    }
    current.label = UNLABELLED;
    if (!Number.isNaN(label)) {
      current.label = label;
      this.#labelled.rows++;
      this.#labelled.anomalous += label;
    }
    if (this.#offended) this.#violations++;
    return true;
  }

  #orderOf(line: number, timeMs: number): void {
    const fault = this.#times.next(timeMs);
    if (fault !== null) this.#offend(line, 'timestamp', fault);
    const before = this.#textBefore;
    this.#textBefore = this.#text;
    this.#text = before;
  }

  #faultWords(fault: string, found: number): string {
    if (fault === 'columns') return `${found} cells, expected ${this.#names.length}`;
    return fault === 'binary' ? 'holds NUL bytes' : 'is longer than 64 kB';
  }

  #offend(line: number, column: string | null, reason: string): void {
    this.#offended = true;
    if (this.#offences.length < OFFENCES_NAMED) this.#offences.push({ line, column, reason });
  }

  #time(line: number, cells: readonly string[]): void {
    const text = cells[this.#timeAt] as string;
    const timeMs = parseTimestamp(text);
    if (Number.isNaN(timeMs)) {
      this.#offend(line, 'timestamp', `${quoted(text)} is no time (ISO 8601, epoch seconds or milliseconds)`);
      return;
    }
    this.current.timeMs = timeMs;
    this.#text.setCells(cells);
    this.#orderOf(line, timeMs);
  }

  #cell(line: number, i: number, text: string): void {
    const profile = this.#profiles[i] as ColumnProfile | null;
    const rule = this.#rules[i] as ColumnRule | null;
    this.current.values[i] = Number.NaN;
    if (profile === null || rule === null) return;
    const name = this.#names[i] as string;
    const kind = classifyCell(text);
    if (kind === 'missing') {
      profile.counts.missing++;
      if (rule.required) this.#offend(line, name, 'is missing');
    } else if (kind === 'notNumeric') {
      profile.counts.notNumeric++;
      this.#offend(line, name, `${quoted(text)} is no number`);
    } else if (kind === 'notFinite') {
      profile.counts.notFinite++;
      this.#offend(line, name, `${quoted(text)} is not finite`);
    } else {
      const value = Number(text);
      const low = rule.min !== null && value < rule.min;
      if (low || (rule.max !== null && value > rule.max)) {
        profile.counts.outOfRange++;
        this.#offend(line, name, `${text} is ${low ? `below ${rule.min}` : `above ${rule.max}`}`);
      } else this.current.values[i] = value;
      profile.add(value);
    }
  }

  #label(line: number, text: string): void {
    if (text === '') return;
    const value = Number(text);
    if (value !== 0 && value !== 1) {
      this.#badLabels++;
      this.#offend(line, 'label', `${quoted(text)} is no label: expected 0, 1 or nothing`);
      return;
    }
    this.current.label = value;
    this.#labelled.rows++;
    this.#labelled.anomalous += value;
  }

  report(file: string, missingColumns: readonly string[], maxRate: number): ValidationReport {
    const columns = Object.fromEntries(
      this.#names.flatMap((name, i) => {
        const profile = this.#profiles[i];
        return profile ? [[name, profile.report()] as const] : [];
      }),
    );
    const rate = this.#rows === 0 ? 0 : this.#violations / this.#rows;
    const reasons: string[] = missingColumns.map((name) => `the column ${name} is missing`);
    if (this.#rows === 0) reasons.push('there is no row behind the header');
    if (this.#rows === 1) reasons.push('there is but one row: nothing can be learned from it');
    const numeric = Object.values(columns).filter(({ type }) => type === 'number');
    if (this.#rows > 1 && numeric.length > 0 && numeric.every(({ constant }) => constant)) {
      reasons.push('no column ever changes: nothing can be learned from it');
    }
    for (const [name, { type }] of Object.entries(columns)) {
      if (type === 'text') reasons.push(`${name} holds no number at all`);
      else if (type === 'empty' && this.#rows > 0 && this.#rules[this.#names.indexOf(name)]?.required)
        reasons.push(`${name} is empty`);
    }
    if (rate > maxRate) {
      reasons.push(
        `${percent(rate)} of the rows (${this.#violations} of ${this.#rows}) break a rule; at most ${percent(maxRate)} may`,
      );
    }
    const times = this.#times.report();
    const notes = Object.entries(columns)
      .filter(([, { constant }]) => constant)
      .map(([name]) => `${name} never changes: a model learns nothing from it`);
    if (times.gaps > 0) notes.push(`${times.gaps} gaps: time in which nothing was recorded`);
    if (this.#badLabels > 0) notes.push(`${this.#badLabels} labels are neither 0 nor 1`);
    return {
      file,
      rows: this.#rows,
      columns,
      ...times,
      labelled: this.#labelAt < 0 ? null : { ...this.#labelled },
      violations: this.#violations,
      violationRate: rate,
      verdict: reasons.length === 0 ? 'pass' : 'fail',
      reasons,
      notes,
      offences: this.#offences,
    };
  }
}

const percent = (share: number): string =>
  `${(100 * share).toFixed(share < 0.001 ? 3 : 1).replace(/\.0$/, '')} %`;
