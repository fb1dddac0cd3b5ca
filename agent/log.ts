/** Logs: one JSON object a line with a stable event name, or a readable line on a terminal. */

export type Level = 'debug' | 'info' | 'warning' | 'error';
export type Fields = Readonly<Record<string, unknown>>;
export type Log = (level: Level, event: string, fields?: Fields) => void;

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warning: 2, error: 3 };
const COLOURS: Readonly<Record<Level, string>> = { debug: '2', info: '36', warning: '33', error: '31' };

export interface LogOptions {
  readonly level: Level;
  readonly pretty: boolean;
  readonly colour: boolean;
  readonly nowMs: () => number;
  readonly write: (line: string) => void;
}

export function createLog(options: LogOptions): Log {
  return (level, event, fields = {}) => {
    if (RANK[level] < RANK[options.level]) return;
    const at = new Date(options.nowMs()).toISOString();
    options.write(
      options.pretty
        ? pretty(at, level, event, fields, options.colour)
        : `${JSON.stringify({ at, level, event, ...fields })}\n`,
    );
  };
}

function pretty(at: string, level: Level, event: string, fields: Fields, colour: boolean): string {
  const paint = (code: string, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const details = Object.entries(fields)
    .map(([key, value]) => `${key}=${printable(typeof value === 'string' ? value : JSON.stringify(value))}`)
    .join(' ');
  return `${paint('2', at.slice(11, 19))} ${paint(COLOURS[level], event)} ${details}\n`;
}

/** Text from elsewhere, safe on a terminal: control characters are shown, not obeyed. */
export function printable(text: string | undefined): string {
  return (text ?? '').replace(
    /[\p{Cc}\p{Bidi_Control}]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
