import type { LogEvent } from './log-events.ts';

/** Logs: one JSON object a line with a stable event name, or a readable line on a terminal. */

export const LEVELS = ['debug', 'info', 'warning', 'error'] as const;
export type Level = (typeof LEVELS)[number];
export type Fields = Readonly<Record<string, unknown>>;
export type Log = (level: Level, event: LogEvent, fields?: Fields) => void;

const COLOURS: Readonly<Record<Level, string>> = { debug: '2', info: '36', warning: '33', error: '31' };

/** Lines of one event (and sink) within a window; more are counted, and told of when it is over. */
const MOST_REPEATS = 20;
const REPEAT_WINDOW_MS = 60_000;

export interface LogOptions {
  /** Asked at each line: it changes at run time. */
  readonly level: () => Level;
  readonly pretty: boolean;
  readonly colour: boolean;
  readonly nowMs: () => number;
  readonly write: (line: string) => void;
}

interface Window {
  readonly level: Level;
  readonly event: LogEvent;
  readonly fields: Fields;
  readonly startMs: number;
  lines: number;
}

export function createLog(options: LogOptions): Log {
  const windows = new Map<string, Window>();
  const write: Log = (level, event, fields = {}) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(options.level())) return;
    const at = new Date(options.nowMs()).toISOString();
    options.write(
      options.pretty
        ? pretty(at, level, event, fields, options.colour)
        : `${JSON.stringify({ at, level, event, ...fields })}\n`,
    );
  };
  const closeOld = (nowMs: number): void => {
    for (const [key, window] of windows) {
      const age = nowMs - window.startMs;
      if (age >= 0 && age < REPEAT_WINDOW_MS) continue;
      windows.delete(key);
      const { level, event, fields, lines } = window;
      if (lines > MOST_REPEATS) {
        write(level, 'log.suppressed', { of: event, ...fields, count: lines - MOST_REPEATS });
      }
    }
  };
  return (level, event, fields = {}) => {
    const nowMs = options.nowMs();
    closeOld(nowMs);
    const sink = fields['sink'];
    const key = `${level} ${event} ${String(sink)}`;
    const window = windows.get(key);
    if (window === undefined) {
      const kept = sink === undefined ? {} : { sink };
      windows.set(key, { level, event, fields: kept, startMs: nowMs, lines: 1 });
    } else if (++window.lines > MOST_REPEATS) return;
    write(level, event, fields);
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
