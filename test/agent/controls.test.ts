import { describe, expect, test, vi } from 'vitest';
import type { Agent } from '../../agent/agent.ts';
import { controls } from '../../agent/controls.ts';
import { loggingTo } from '../../agent/logging.ts';
import type { Snooze } from '../../agent/maintenance.ts';

function setUp() {
  const logged: string[] = [];
  const snoozes: (Snooze | null)[] = [];
  const logging = loggingTo(
    (level, event, fields) => void logged.push(`${level} ${event} ${JSON.stringify(fields)}`),
  );
  const snooze = (one: Snooze | null): [] => {
    snoozes.push(one);
    return [];
  };
  const agent = { snooze } as unknown as Agent;
  const clock = { nowMs: () => 1000, monotonicMs: () => 0 };
  return { logged, snoozes, logging, ask: controls(() => agent, logging, clock) };
}

describe('what the local socket can change', () => {
  test('a snooze: for how long, why, whether models learn meanwhile; none ends it', () => {
    const { ask, snoozes } = setUp();
    ask['snooze']?.({ ms: 5000, reason: 'disk swap', training: 'include' });
    ask['snooze']?.({ ms: 0 });
    expect(snoozes).toEqual([
      { fromMs: 1000, untilMs: 6000, reason: 'disk swap', training: 'include' },
      null,
    ]);
  });

  test.each([
    [{ ms: -1 }, 'up to 24 hours'],
    [{ ms: 25 * 3_600_000 }, 'up to 24 hours'],
    [{ ms: '1' }, 'up to 24 hours'],
    [{}, 'up to 24 hours'],
    [{ ms: 1, reason: 'x'.repeat(201) }, 'at most 200 characters'],
    [{ ms: 1, reason: 1 }, 'at most 200 characters'],
    [{ ms: 1, training: 'maybe' }, 'exclude or include'],
  ])('refuses %j', (request, message) => {
    const { ask, snoozes } = setUp();
    expect(() => ask['snooze']?.(request)).toThrow(message);
    expect(snoozes).toEqual([]);
  });

  test('a log level for a while, then the configured one', () => {
    vi.useFakeTimers();
    try {
      const { ask, logged, logging } = setUp();
      expect(ask['logLevel']?.({ level: 'debug', ms: 1000 })).toEqual({ level: 'debug', configured: 'info' });
      expect(logging.level).toBe('debug');
      ask['logLevel']?.({ level: 'error', ms: 2000 });
      vi.advanceTimersByTime(1500);
      expect(logging.level).toBe('error');
      vi.advanceTimersByTime(500);
      expect(logging.level).toBe('info');
      expect(logged).toEqual([
        'info log.level {"now":"debug","before":"info","forMs":1000}',
        'info log.level {"now":"error","before":"debug","forMs":2000}',
        'info log.level {"now":"info"}',
      ]);
    } finally {
      vi.useRealTimers();
    }
  });

  test.each([
    [{ level: 'loud', ms: 1 }, 'expected debug, info, warning, error'],
    [{ level: 'debug', ms: 0 }, 'up to 24 hours'],
    [{ level: 'debug' }, 'up to 24 hours'],
  ])('refuses the level %j', (request, message) => {
    expect(() => setUp().ask['logLevel']?.(request)).toThrow(message);
  });
});
