/** Text in columns: the first to the left, the others to the right. */
export function aligned(rows: readonly (readonly string[])[], indent = '  '): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, [...cell].length);
  }
  return rows.map(
    (row) =>
      indent +
      row
        .map((cell, i) => {
          const blanks = ' '.repeat((widths[i] as number) - [...cell].length);
          return i === 0 ? cell + blanks : blanks + cell;
        })
        .join('  ')
        .trimEnd(),
  );
}

const BARS = ' ▁▂▃▄▅▆▇█';

/** Counts as bars; what is there at all is seen. */
export function bars(counts: readonly number[]): string {
  const most = Math.max(1, ...counts);
  return counts.map((count) => BARS[count === 0 ? 0 : Math.max(1, Math.round((count / most) * 8))]).join('');
}

/** A number for a table: four significant digits. */
export function brief(x: number | null): string {
  if (x === null) return '–';
  if (x === 0) return '0';
  const size = Math.abs(x);
  if (size >= 1e9 || size < 1e-3) return x.toExponential(2);
  if (size >= 1e6) return `${(x / 1e6).toFixed(1)}M`;
  if (size >= 1e4) return `${(x / 1e3).toFixed(1)}k`;
  return String(Number(x.toPrecision(4)));
}
