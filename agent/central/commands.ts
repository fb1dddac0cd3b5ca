import type { Clock } from '../../collector/source.ts';
import type { CommandDocument } from '../../core/protocol/trust.ts';
import { VERDICTS, type Verdict } from '../../core/protocol/verdict.ts';
import type { MetricSchema } from '../../core/sample.ts';
import type { Agent } from '../agent.ts';
import { MAX_SNOOZE_MS } from '../maintenance.ts';
import type { Store } from '../store/store.ts';
import type { CommandAnswer } from './central.ts';

/** What a signed command may reach: no more than the local socket gives. */
export interface Commanded {
  readonly store: Store;
  readonly schema: MetricSchema;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Lets the loop run. */
  readonly breathe: () => Promise<void>;
  readonly agent: Pick<Agent, 'snooze' | 'operators' | 'state' | 'counters' | 'lostEvents'>;
}

const MOST_ROWS = 50_000;
const MOST_PART_BYTES = 48 * 1024;
const MOST_TEXT = 200;

/** Carries out a command that was verified. Its arguments are an operator's, and checked like anybody's. @throws Error in plain words */
export async function carryOut(
  { name, arguments: args }: CommandDocument,
  on: Commanded,
): Promise<CommandAnswer> {
  switch (name) {
    case 'send-samples':
      return { parts: await samples(args, on) };
    case 'snooze':
      return { parts: [snooze(args, on)] };
    case 'verdict':
      return { parts: [verdict(args, on)] };
    case 'self-test':
      return { parts: [selfTest(on)] };
  }
}

type Arguments = Readonly<Record<string, unknown>>;

function time(args: Arguments, key: string): number {
  const value = args[key];
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw new Error(`${key}: expected a time as 2026-01-31T00:00:00Z`);
  return ms;
}

function text(args: Arguments, key: string): string {
  const value = args[key] ?? '';
  if (typeof value !== 'string' || value.length > MOST_TEXT) {
    throw new Error(`${key}: expected a text of at most ${MOST_TEXT} characters`);
  }
  return value;
}

function count(args: Arguments, key: string, least: number, most: number): number {
  const value = args[key];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
    throw new Error(`${key}: expected a whole number from ${least} to ${most}`);
  }
  return value;
}

/** Oldest first, in parts of their own, none above the size that every broker takes. The loop runs between two parts. */
async function samples(args: Arguments, { store, schema, breathe }: Commanded): Promise<object[]> {
  const [fromMs, toMs] = [time(args, 'from'), time(args, 'to')];
  const limit = count(args, 'limit', 1, MOST_ROWS);
  const metrics = schema.map(({ name }) => name);
  const parts: { metrics: string[]; rows: (number | null)[][] }[] = [{ metrics, rows: [] }];
  let bytes = 0;
  let taken = 0;
  for (const row of store.samples(fromMs, toMs)) {
    if (taken++ >= limit) break;
    const cells = [row.timeMs, ...Array.from(row.values, (x) => (Number.isFinite(x) ? x : null))];
    const size = JSON.stringify(cells).length + 1;
    if (bytes + size > MOST_PART_BYTES) {
      parts.push({ metrics, rows: [] });
      bytes = 0;
      await breathe();
    }
    parts.at(-1)?.rows.push(cells);
    bytes += size;
  }
  return parts;
}

function snooze(args: Arguments, on: Commanded): object {
  const ms = count(args, 'ms', 0, MAX_SNOOZE_MS);
  const fromMs = on.clock.nowMs();
  const reason = text(args, 'reason');
  const active = on.agent.snooze(
    ms === 0 ? null : { fromMs, untilMs: fromMs + ms, reason, training: 'exclude' },
  );
  return { active };
}

function verdict(args: Arguments, on: Commanded): object {
  const id = text(args, 'id');
  const word = args['verdict'] as Verdict;
  if (!VERDICTS.includes(word)) throw new Error(`verdict: expected ${VERDICTS.join(', ')}`);
  const given = on.agent.operators.verdict(id, word, text(args, 'note'));
  if (given === null) throw new Error('id: no incident, or more than one, begins so');
  return given;
}

function selfTest({ agent }: Commanded): object {
  return { state: agent.state(), counters: { ...agent.counters, lostEvents: agent.lostEvents } };
}
