import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { controls } from '../../agent/controls.ts';
import { loggingTo } from '../../agent/logging.ts';
import type { MissedAnswer } from '../../agent/operators.ts';
import { MemoryStore } from '../../agent/store/memory-store.ts';
import { Verdicts } from '../../agent/verdicts.ts';
import { alertLine, alertPage } from '../../cli/alert-view.ts';
import { type AgentStatus, statusPage } from '../../cli/commands/status.ts';
import type { AlertData } from '../../core/protocol/events.ts';
import type { VerdictData } from '../../core/protocol/verdict.ts';
import { validator } from '../support/schemas.ts';
import { busy, ScriptedAgent } from '../support/scripted-agent.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const DAY_MS = 86_400_000;
const iso = (ms: number): string => new Date(ms).toISOString();

/** An incident stood, and is over. */
function withIncident(): { it: ScriptedAgent; from: number; to: number } {
  const it = new ScriptedAgent(temporaryDirectory());
  it.learn();
  it.samples(30);
  it.samples(3, busy);
  it.samples(200);
  const row = it.store.incident('incident-1');
  if (row?.resolvedAtMs == null) throw new Error('the incident is not over');
  return { it, from: row.openedAtMs, to: row.resolvedAtMs };
}

const refusal = (answer: MissedAnswer): string => ('refused' in answer ? answer.refused : 'taken');
const words = (it: ScriptedAgent): VerdictData[] =>
  it.events('edgewood.verdict').map(({ data }) => JSON.parse(data) as VerdictData);

describe('what was missed', () => {
  test('is kept, is an event, and counts in recall and F1 of its week, over a restart too', () => {
    const { it, from } = withIncident();
    const { operators } = it.agent;
    operators.verdict('incident-1', 'true', '');
    const [fromMs, toMs] = [from - 60_000, from - 30_000];
    expect(operators.miss(fromMs, toMs, 'disk\u001b[31m')).toEqual({
      record: { fromMs, toMs, note: 'disk\u001b[31m', atMs: it.nowMs },
    });
    const [, told] = words(it);
    expect(told).toMatchObject({ incidentId: null, verdict: 'missed', before: null, modelSha256: null });
    expect(told).toMatchObject({ openedAt: iso(fromMs), until: iso(toMs), note: 'disk\u001b[31m' });
    expect(validator('verdict')(told)).toEqual([]);
    expect(it.logs('verdict.given')[1]).toEqual({ from: iso(fromMs), to: iso(toMs), verdict: 'missed' });
    it.agent.stop();
    it.restart(0);
    it.samples(1);
    const status = it.agent.status();
    expect(status.performance.weeks).toHaveLength(4);
    expect(status.performance.weeks[0]).toMatchObject({ judged: 1, missed: 1, precision: 1, recall: 0.5 });
    expect(status.performance.weeks[0]?.f1).toBeCloseTo(2 / 3, 12);
    expect(statusPage(status as AgentStatus, false)).toContain(
      [
        '  by week    week of     judged  true  false  benign  missed  precision  recall    F1',
        '             2023-11-13       1     1      0       0       1      100 %    50 %  0.67',
        '             Recall is only as complete as what was told with `edgewood alerts missed`.',
      ].join('\n'),
    );
    for (const batch of it.telemetry) expect(validator('telemetry')(batch)).toEqual([]);
  });

  test('where nobody has said anything, status has no table; where there is nothing to divide by, a dash', () => {
    const { it, from } = withIncident();
    expect(statusPage(it.agent.status() as AgentStatus, false)).not.toContain('by week');
    it.agent.operators.verdict('incident-1', 'benign', '');
    expect(statusPage(it.agent.status() as AgentStatus, false)).toMatch(
      /2023-11-13 +1 +0 +0 +1 +0 +0 % +– +0\.00\n/,
    );
    it.agent.operators.miss(from - 1, from - 1, '');
    expect(it.agent.status().performance.weeks[0]).toMatchObject({ recall: 0, missed: 1 });
  });

  test('said again it counts once, and taken back it does not count', () => {
    const { it, from } = withIncident();
    const { operators } = it.agent;
    const at = from - 60_000;
    operators.miss(at, at, 'first');
    operators.miss(at, at + 1000, 'second');
    expect(operators.missed).toMatchObject([{ fromMs: at, toMs: at + 1000, note: 'second' }]);
    expect(operators.retractMissed(at)).toMatchObject({ record: { note: 'second' } });
    expect(operators.missed).toEqual([]);
    expect(words(it).map(({ verdict, before, note }) => [verdict, before, note])).toEqual([
      ['missed', null, 'first'],
      ['missed', 'missed', 'second'],
      ['retracted', 'missed', 'second'],
    ]);
    for (const word of words(it)) expect(validator('verdict')(word)).toEqual([]);
    expect(refusal(operators.retractMissed(at))).toMatch(
      /^nothing was told as missed from .* `edgewood alerts/,
    );
    expect(it.agent.status().performance.weeks[0]).toMatchObject({ missed: 0, recall: null });
  });

  test('is refused where an incident stood, by its name, at either end', () => {
    const { it, from, to } = withIncident();
    const told = (fromMs: number, toMs: number): string => refusal(it.agent.operators.miss(fromMs, toMs, ''));
    const covered = `that was not missed: incident incident-1 stood from ${iso(from)} until ${iso(to)}. Say what it was worth: \`edgewood alerts verdict incident-1 true\``;
    for (const [a, b] of [
      [from, from],
      [to, to],
      [from - 5, to + 5],
      [from - 5, from],
      [to, to + 5],
    ] as const) {
      expect(told(a, b)).toBe(covered);
    }
    expect(told(from - 5, from - 1)).toBe('taken');
    expect(told(to + 1, to + 5)).toBe('taken');
    expect(told(to + 5, to + 9)).toMatch(/was told already, as missed from .* would count twice/);
    expect(words(it)).toHaveLength(2);
  });

  test('is refused where one still stands, and where it can not be', () => {
    const it = new ScriptedAgent(temporaryDirectory());
    it.learn();
    it.samples(30);
    it.samples(3, busy);
    const { nowMs } = it;
    const told = (fromMs: number, toMs = fromMs): string =>
      refusal(it.agent.operators.miss(fromMs, toMs, ''));
    expect(told(nowMs)).toMatch(/incident incident-1 stood from .* and stands still/);
    expect(told(nowMs + 1)).toMatch(/ is yet to come/);
    expect(told(nowMs - 5 * DAY_MS, nowMs - 6 * DAY_MS)).toMatch(/before it began/);
    expect(told(nowMs - 20 * DAY_MS, nowMs - 12 * DAY_MS)).toMatch(/more than a week/);
    expect(told(nowMs - 91 * DAY_MS)).toMatch(/incidents are kept from .* \(retention\.events\)/);
    expect(told(nowMs - 89 * DAY_MS)).toBe('taken');
  });

  test('a full disk changes nothing', () => {
    const { it, from } = withIncident();
    it.full = true;
    expect(() => it.agent.operators.miss(from - 1, from - 1, '')).toThrow('no space left');
    expect(it.agent.operators.missed).toEqual([]);
  });

  test('the oldest go when there are very many; what can not be read is as none', () => {
    const memory = new MemoryStore({ nowMs: () => 0, randomHex: () => '0' });
    const verdicts = new Verdicts(memory);
    for (let i = 0; i < 520; i++) verdicts.miss(i, { fromMs: i, toMs: i, note: '', atMs: 0 });
    expect(verdicts.missed.map(({ fromMs }) => fromMs)).toEqual(Array.from({ length: 512 }, (_, i) => i + 8));
    expect(new Verdicts(memory).missed).toEqual(verdicts.missed);
    memory.putState('verdicts.missed', '[{"fromMs":"x","toMs":1},{"fromMs":3,"toMs":4,"note":"","atMs":0}]');
    expect(new Verdicts(memory).missed).toHaveLength(1);
    memory.putState('verdicts.missed', '[null]');
    expect(new Verdicts(memory).missed).toEqual([]);
  });

  test('whatever the socket is sent: it is taken whole, or refused, and never breaks the agent', () => {
    const { it } = withIncident();
    const logging = loggingTo(() => {});
    const { miss, retractMissed } = controls(() => it.agent, logging, {
      nowMs: () => it.nowMs,
      monotonicMs: () => 0,
    });
    const time = fc.oneof(
      fc.anything(),
      fc.double(),
      fc.integer({ min: it.nowMs - 100 * DAY_MS, max: it.nowMs }),
    );
    fc.assert(
      fc.property(time, time, fc.oneof(fc.string(), fc.anything()), (fromMs, toMs, note) => {
        const before = it.agent.operators.missed;
        let answer: MissedAnswer | null = null;
        try {
          answer = miss?.({ fromMs, toMs, note }) as MissedAnswer;
        } catch (error) {
          expect((error as Error).message).toMatch(
            /^(fromMs|toMs): expected milliseconds|^note: expected a text/,
          );
        }
        if (answer === null || 'refused' in answer) expect(it.agent.operators.missed).toBe(before);
        else {
          expect(it.agent.operators.missed).toContainEqual(answer.record);
          retractMissed?.({ fromMs: answer.record.fromMs });
        }
      }),
    );
    for (const word of words(it)) expect(validator('verdict')(word)).toEqual([]);
  });
});

describe('an alert that was judged', () => {
  test('shows the last word on it, what is in it escaped', () => {
    const { it } = withIncident();
    const shown = () => {
      const row = it.store.incident('incident-1');
      if (row === null) throw new Error('no incident');
      return it.agent.operators.judgedAlert(row);
    };
    expect(shown().verdict).toBeNull();
    expect(alertLine(shown(), false)).not.toContain('verdict');
    expect(alertPage(shown(), false)).not.toContain('verdict');
    it.agent.operators.verdict('incident-1', 'true', '');
    it.agent.operators.verdict('incident-1', 'false', 'back\u001b[31mup');
    expect(shown().verdict).toEqual({ verdict: 'false', at: iso(it.nowMs), note: 'back\u001b[31mup' });
    const minute = iso(it.nowMs).slice(0, 16).replace('T', ' ');
    expect(alertLine(shown(), false)).toMatch(new RegExp(`; verdict false, ${minute}Z: back[^\u001b]+up$`));
    expect(alertPage(shown(), false)).toMatch(
      new RegExp(`\\n  verdict     false, ${minute}Z: back[^\u001b]+up\\n`),
    );
    // The event is what it was.
    const event = JSON.parse(it.events('edgewood.incident').at(-1)?.data ?? '') as AlertData;
    const { verdict: _, ...alert } = shown();
    expect(alert).toEqual(event);
  });
});
