import { type AlertData, EVENT_TYPES } from '../core/protocol/events.ts';
import type { Verdict, VerdictData } from '../core/protocol/verdict.ts';
import type { AgentDependencies } from './agent.ts';
import type { AgentFacts } from './events.ts';
import type { IncidentRow, NewEvent } from './store/store.ts';
import type { MissedRecord, VerdictRecord, Verdicts } from './verdicts.ts';

/** What lasted longer is told in parts: it would be counted once, for the week in which it began. */
const LONGEST_MISSED_MS = 7 * 86_400_000;

interface Dependencies extends Pick<AgentDependencies, 'store' | 'clock' | 'log'> {
  readonly verdicts: Verdicts;
  readonly facts: () => AgentFacts;
  readonly commit: (event: NewEvent) => void;
  /** How far back incidents are kept. */
  readonly incidentsFromMs: () => number;
  /** Something was said of an alert. */
  readonly judged: (nowMs: number) => void;
}

/** An alert as the local API shows it. */
export type JudgedAlert = AlertData & {
  readonly verdict: { readonly verdict: Verdict; readonly at: string; readonly note: string } | null;
};

/** What became of a word on what was missed. A refusal is a sentence that says why, and what to do instead. */
export type MissedAnswer = { readonly record: MissedRecord } | { readonly refused: string };

type Said = Omit<VerdictData, 'schemaVersion' | 'sequence' | 'host'>;

/** What operators say of this host's alerts, and of what it did not tell: kept, and told of as events. */
export class OperatorWords {
  readonly #deps: Dependencies;

  constructor(deps: Dependencies) {
    this.#deps = deps;
  }

  /** An alert with the last word on it. */
  judgedAlert({ id, data }: IncidentRow): JudgedAlert {
    const record = this.#deps.verdicts.of(id);
    const verdict = record && { verdict: record.verdict, at: iso(record.atMs), note: record.note };
    return { ...(JSON.parse(data) as AlertData), verdict };
  }

  /** @returns null where nothing, or more than one, begins so. @throws StoreFullError */
  verdict(idOrPrefix: string, verdict: Verdict, note: string): VerdictRecord | null {
    const { store, clock, verdicts } = this.#deps;
    const row = store.incident(idOrPrefix);
    if (row === null) return null;
    const before = verdicts.of(row.id)?.verdict ?? null;
    const { sha256: modelSha256 } = (JSON.parse(row.data) as AlertData).model;
    const { id: incidentId, openedAtMs } = row;
    const record = { incidentId, verdict, note, atMs: clock.nowMs(), openedAtMs, modelSha256 };
    verdicts.give(record);
    this.#tell({ incidentId, verdict, before, note, openedAt: iso(openedAtMs), modelSha256 }, record.atMs);
    this.#deps.judged(record.atMs);
    return record;
  }

  /** What was told as missed. */
  get missed(): readonly MissedRecord[] {
    return this.#deps.verdicts.missed;
  }

  /** Something was wrong, and no incident stood. @throws StoreFullError */
  miss(fromMs: number, toMs: number, note: string): MissedAnswer {
    const { verdicts, clock } = this.#deps;
    const atMs = clock.nowMs();
    const refused = this.#whyNot(fromMs, toMs, atMs);
    if (refused !== null) return { refused };
    const before = this.#known(fromMs) === undefined ? null : 'missed';
    const record = { fromMs, toMs, note, atMs };
    verdicts.miss(fromMs, record);
    this.#tellMissed('missed', before, record, atMs);
    return { record };
  }

  /** It was not so after all. @throws StoreFullError */
  retractMissed(fromMs: number): MissedAnswer {
    const known = this.#known(fromMs);
    if (known === undefined) {
      return {
        refused: `nothing was told as missed from ${iso(fromMs)} on; \`edgewood alerts missed\` lists what was`,
      };
    }
    this.#deps.verdicts.miss(fromMs, null);
    this.#tellMissed('retracted', 'missed', known, this.#deps.clock.nowMs());
    return { record: known };
  }

  #known(fromMs: number): MissedRecord | undefined {
    return this.missed.find((record) => record.fromMs === fromMs);
  }

  #whyNot(fromMs: number, toMs: number, nowMs: number): string | null {
    if (toMs > nowMs) return `${iso(toMs)} is yet to come; it is ${iso(nowMs)}`;
    if (toMs < fromMs) return `it would end at ${iso(toMs)}, before it began at ${iso(fromMs)}`;
    if (toMs - fromMs > LONGEST_MISSED_MS)
      return 'more than a week: tell it as several, each of its own week';
    const keptFromMs = this.#deps.incidentsFromMs();
    if (fromMs < keptFromMs) {
      return `incidents are kept from ${iso(keptFromMs)} on (retention.events); whether one stood at ${iso(fromMs)} is not known any more`;
    }
    const row = this.#deps.store.incidentDuring(fromMs, toMs);
    if (row !== null) {
      const until = row.resolvedAtMs === null ? 'and stands still' : `until ${iso(row.resolvedAtMs)}`;
      return `that was not missed: incident ${row.id} stood from ${iso(row.openedAtMs)} ${until}. Say what it was worth: \`edgewood alerts verdict ${row.id} true\``;
    }
    const told = this.missed.find(
      (record) => record.fromMs !== fromMs && record.fromMs <= toMs && record.toMs >= fromMs,
    );
    if (told === undefined) return null;
    return `that was told already, as missed from ${iso(told.fromMs)} to ${iso(told.toMs)}, and would count twice. To tell it anew: \`edgewood alerts missed --from ${iso(told.fromMs)} --retract\` first`;
  }

  #tellMissed(
    verdict: 'missed' | 'retracted',
    before: 'missed' | null,
    { fromMs, toMs, note }: MissedRecord,
    atMs: number,
  ): void {
    const when = { openedAt: iso(fromMs), until: iso(toMs) };
    this.#tell({ incidentId: null, verdict, before, note, ...when, modelSha256: null }, atMs);
  }

  #tell(said: Said, timeMs: number): void {
    const { hostId, config } = this.#deps.facts();
    const about: Omit<VerdictData, 'sequence'> = {
      schemaVersion: 1,
      host: { id: hostId, name: config.hostName, labels: config.labels },
      ...said,
    };
    this.#deps.commit({
      type: EVENT_TYPES.verdict,
      severity: null,
      timeMs,
      subject: said.incidentId,
      data: (sequence) => JSON.stringify({ ...about, sequence } satisfies VerdictData),
    });
    const { incidentId, verdict, openedAt, until } = said;
    const of = incidentId === null ? { from: openedAt, to: until } : { id: incidentId };
    this.#deps.log('info', 'verdict.given', { ...of, verdict });
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();
