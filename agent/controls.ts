import type { Clock } from '../collector/source.ts';
import { MILLISECONDS_MAX } from '../core/csv.ts';
import { VERDICTS, type Verdict } from '../core/protocol/verdict.ts';
import type { Agent } from './agent.ts';
import type { Handler } from './local-api.ts';
import { LEVELS, type Level } from './log.ts';
import type { Logging } from './logging.ts';
import { MAX_SNOOZE_MS, type Snooze } from './maintenance.ts';

const MAX_REASON_LENGTH = 200;
export const MAX_LEVEL_MS = 24 * 3_600_000;

/**
 * What the local socket can change, for whoever may open it (its owner and its group):
 * {"method":"snooze","ms":7200000,"reason":"disk swap","training":"exclude"}, ms 0 ends it;
 * {"method":"logLevel","level":"debug","ms":600000}, back to what was configured after that time.
 * {"method":"retrain","why":"…"}, {"method":"rollback","why":"…"};
 * {"method":"verdict","id":"3f2a","verdict":"false","note":"…"};
 * {"method":"missed"}, {"method":"miss","fromMs":…,"toMs":…,"note":"…"}, {"method":"retractMissed","fromMs":…}.
 * Requests come from outside: each field is checked, and what is wrong with it is the answer.
 */
export function controls(
  agent: () => Agent | null,
  logging: Logging,
  clock: Clock,
): Readonly<Record<string, Handler>> {
  let restore: NodeJS.Timeout | undefined;
  return {
    snooze: ({ ms, reason = '', training = 'exclude' }) => {
      if (!isDuration(ms, MAX_SNOOZE_MS)) throw new Error('snooze: expected up to 24 hours');
      if (typeof reason !== 'string' || reason.length > MAX_REASON_LENGTH)
        throw new Error(`reason: expected a text of at most ${MAX_REASON_LENGTH} characters`);
      if (training !== 'exclude' && training !== 'include')
        throw new Error('training: expected exclude or include');
      const nowMs = clock.nowMs();
      const snooze: Snooze = { fromMs: nowMs, untilMs: nowMs + ms, reason, training };
      return agent()?.snooze(ms === 0 ? null : snooze);
    },
    retrain: ({ why = '' }) => asked(agent).retrain(reasonOf(why)),
    rollback: ({ why = '' }) => asked(agent).rollback(reasonOf(why)),
    verdict: ({ id, verdict, note = '' }) => {
      if (typeof id !== 'string' || id === '')
        throw new Error('id: expected the beginning of an incident’s id');
      if (!VERDICTS.includes(verdict as Verdict)) throw new Error(`verdict: expected ${VERDICTS.join(', ')}`);
      return asked(agent).operators.verdict(id, verdict as Verdict, reasonOf(note, 'note'));
    },
    missed: () => asked(agent).operators.missed,
    miss: ({ fromMs, toMs, note = '' }) =>
      asked(agent).operators.miss(timeOf(fromMs, 'fromMs'), timeOf(toMs, 'toMs'), reasonOf(note, 'note')),
    retractMissed: ({ fromMs }) => asked(agent).operators.retractMissed(timeOf(fromMs, 'fromMs')),
    logLevel: ({ level, ms }) => {
      if (!LEVELS.includes(level as Level)) throw new Error(`level: expected ${LEVELS.join(', ')}`);
      if (!isDuration(ms, MAX_LEVEL_MS) || ms === 0) throw new Error('for how long: expected up to 24 hours');
      const before = logging.level;
      clearTimeout(restore);
      restore = setTimeout(() => {
        logging.level = logging.configured;
        logging.log('info', 'log.level', { now: logging.level });
      }, ms).unref();
      logging.level = level as Level;
      logging.log('info', 'log.level', { now: level, before, forMs: ms });
      return { level, configured: logging.configured };
    },
  };
}

const isDuration = (ms: unknown, most: number): ms is number =>
  typeof ms === 'number' && Number.isFinite(ms) && ms >= 0 && ms <= most;

/** A time that can be told of as ISO 8601. */
function timeOf(ms: unknown, name: string): number {
  if (typeof ms !== 'number' || !(ms >= 0 && ms < MILLISECONDS_MAX))
    throw new Error(`${name}: expected milliseconds since 1970`);
  return Math.round(ms);
}

function asked(agent: () => Agent | null): Agent {
  const running = agent();
  if (running === null) throw new Error('the agent is starting; try again');
  return running;
}

function reasonOf(why: unknown, name = 'why'): string {
  if (typeof why !== 'string' || why.length > MAX_REASON_LENGTH)
    throw new Error(`${name}: expected a text of at most ${MAX_REASON_LENGTH} characters`);
  return why;
}
