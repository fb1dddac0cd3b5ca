import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLog, type Level, type Log, printable } from '../../agent/log.ts';

function recorded(options: { level?: Level; pretty?: boolean; colour?: boolean } = {}): {
  log: Log;
  lines: string[];
} {
  const lines: string[] = [];
  const log = createLog({
    level: () => options.level ?? 'info',
    pretty: options.pretty ?? false,
    colour: options.colour ?? false,
    nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    write: (line) => lines.push(line),
  });
  return { log, lines };
}

describe('as JSON', () => {
  test('one object a line: when, how bad, what, and its fields', () => {
    const { log, lines } = recorded();
    log('warning', 'delivery.retry', { sink: 'mqtt', n: 3 });
    log('info', 'agent.stopped');
    expect(lines).toEqual([
      '{"at":"2026-01-02T03:04:05.678Z","level":"warning","event":"delivery.retry","sink":"mqtt","n":3}\n',
      '{"at":"2026-01-02T03:04:05.678Z","level":"info","event":"agent.stopped"}\n',
    ]);
  });

  test('whatever a field holds, it stays one line that gives it back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { log, lines } = recorded();
        log('error', 'agent.started', { text });
        expect(lines.join('').indexOf('\n')).toBe(lines.join('').length - 1);
        expect(JSON.parse(lines[0] as string)).toMatchObject({ text });
      }),
    );
  });
});

test('levels below the least are left out', () => {
  const levels: Level[] = ['debug', 'info', 'warning', 'error'];
  levels.forEach((least, rank) => {
    const { log, lines } = recorded({ level: least });
    for (const level of levels) log(level, 'agent.started');
    expect(lines).toHaveLength(levels.length - rank);
  });
});

describe('for people', () => {
  test('time, event, fields', () => {
    const { log, lines } = recorded({ pretty: true });
    log('info', 'model.loaded', { name: 'self', rows: 5, range: [1, null], none: undefined });
    expect(lines).toEqual(['03:04:05 model.loaded name=self rows=5 range=[1,null] none=\n']);
  });

  test('colours only where asked for', () => {
    const { log, lines } = recorded({ pretty: true, colour: true });
    log('error', 'store.full', { error: 'full' });
    expect(lines).toEqual(['\u001b[2m03:04:05\u001b[0m \u001b[31mstore.full\u001b[0m error=full\n']);
  });

  test('control characters are shown, not obeyed', () => {
    const { log, lines } = recorded({ pretty: true });
    log('info', 'agent.started', {
      name: '\u001b[2Jgone\r\n\u0007\u009b31m\u202eevil',
      nested: { a: '\u001b[31m' },
    });
    expect(lines[0]).toBe(
      '03:04:05 agent.started name=\\u001b[2Jgone\\u000d\\u000a\\u0007\\u009b31m\\u202eevil nested={"a":"\\u001b[31m"}\n',
    );
  });
});

describe('printable', () => {
  test('leaves what prints', () => {
    for (const text of ['', 'plain', 'Zürich 東京 🙂', '$&', '\\u001b']) expect(printable(text)).toBe(text);
    expect(printable(undefined)).toBe('');
  });

  test('no control and no turning of direction gets through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
      }),
    );
  });
});

describe('repeats', () => {
  const many = (nowMs: () => number): { log: Log; lines: string[] } => {
    const lines: string[] = [];
    const options = { level: () => 'info' as const, pretty: false, colour: false, nowMs };
    return { lines, log: createLog({ ...options, write: (line) => lines.push(line) }) };
  };

  test('beyond twenty a minute they are counted, and told of when the minute is over', () => {
    let now = 0;
    const { log, lines } = many(() => now);
    for (let i = 0; i < 50; i++) log('warning', 'delivery.retry', { sink: 'a', reason: String(i) });
    log('warning', 'delivery.retry', { sink: 'b' });
    expect(lines).toHaveLength(21);
    now = 60_000;
    log('info', 'store.recovered');
    expect(lines.slice(21).map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: 'warning', event: 'log.suppressed', of: 'delivery.retry', sink: 'a', count: 30 },
      { event: 'store.recovered' },
    ]);
    log('warning', 'delivery.retry', { sink: 'a' });
    expect(lines).toHaveLength(24);
  });

  test('a clock that is set back ends the minute', () => {
    let now = 1e9;
    const { log, lines } = many(() => now);
    for (let i = 0; i < 21; i++) log('info', 'mqtt.connected');
    now = 0;
    log('info', 'mqtt.connected');
    expect(lines).toHaveLength(22);
  });
});
