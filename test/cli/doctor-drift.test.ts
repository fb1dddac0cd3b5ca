import { describe, expect, test } from 'vitest';
import type { DriftReport } from '../../agent/drift.ts';
import { checkDrift } from '../../cli/doctor/agent.ts';

const NOW_MS = 1_700_000_000_000;
const stream = (
  name: string,
  d: number,
  unjudged: DriftReport['streams'][number]['unjudged'] = null,
): DriftReport['streams'][number] => ({
  name,
  label: name,
  unit: 'percent',
  d,
  threshold: 0.3,
  over: d > 0.3,
  direction: 'higher' as const,
  shift: 1,
  shiftThreshold: 9,
  effect: 1,
  unjudged,
});
const report = (changes: Partial<DriftReport>): DriftReport =>
  ({
    phase: 'steady',
    severity: 1,
    provisional: false,
    sinceMs: null,
    windowMs: 86_400_000,
    filled: true,
    nextDecisionMs: NOW_MS + 3_600_000,
    lastRequestMs: null,
    streams: [stream('cpu', 0.1)],
    ...changes,
  }) as DriftReport;
const found = (drift: DriftReport | null) => checkDrift({ drift, nowMs: NOW_MS, sampledAtMs: NOW_MS });

describe('doctor on drift', () => {
  test('nothing where the model has no reference, a note while a window fills, fine while steady', () => {
    expect(found(null)).toEqual([]);
    expect(found(report({ filled: false, streams: [] }))).toMatchObject([{ status: 'note' }]);
    expect(found(report({}))).toMatchObject([
      { status: 'ok', says: expect.stringMatching(/^steady, severity 1 of 10; D cpu 0\.10 of 0\.30/) },
    ]);
  });

  test('what the shift alone tells of says so', () => {
    const [told] = found(report({ streams: [{ ...stream('cpu', 0.1), shift: 27 }] }));
    expect(told?.says).toMatch(/; D cpu 0\.10 of 0\.30 \(shift 3\.0 times its threshold\)/);
  });

  test('a host that drifts is told, with what to do', () => {
    const drift = report({
      phase: 'drifting',
      severity: 6,
      sinceMs: NOW_MS - 86_400_000,
      streams: [stream('cpu', 0.9)],
    });
    expect(found(drift)).toMatchObject([
      {
        status: 'warning',
        says: expect.stringMatching(/^drifting for 24 h, severity 6/),
        mend: expect.stringMatching(/edgewood retrain/),
      },
    ]);
  });

  test('a sensor that lies is named', () => {
    const drift = report({ streams: [stream('cpu', 0.1), stream('memory', 0.1, 'stuck')] });
    expect(
      found(drift)
        .map(({ status, says }) => [status, says])
        .at(-1),
    ).toEqual(['warning', 'memory is stuck']);
  });
});
