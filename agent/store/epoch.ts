import type { Sequence } from '../../core/protocol/events.ts';
import type { EpochRow } from './event-log.ts';
import { type DropReason, newEpochId } from './events-out.ts';
import { MAX_ENDED_EPOCHS, type MarkOnDisk } from './sequence-mark.ts';
import type { OpenedDatabase } from './state-directory.ts';
import type { EpochReason } from './store.ts';

export interface EpochStart {
  readonly current: EpochRow;
  readonly reason: EpochReason;
  readonly findings: readonly string[];
  /** Goes into the mark with every number given from now on. */
  readonly ended: readonly Sequence[];
}

/**
 * Goes on with the epoch only where database and mark agree that no number was given that the database has forgotten.
 * A mark behind the database is the ordinary trace of a crash between the commit and the mark.
 */
export function startEpoch(
  opened: OpenedDatabase,
  mark: MarkOnDisk,
  nowMs: number,
  randomHex: (bytes: number) => string,
  changed: 'renamed' | 'cloned' | null = null,
): EpochStart {
  const { db, quarantinedTo } = opened;
  const newest = db.prepare<[], EpochRow>('SELECT * FROM epochs ORDER BY id DESC LIMIT 1').get() ?? null;
  const judged = judge(newest, mark, quarantinedTo !== null);
  const reason = judged === 'continued' && changed !== null ? changed : judged;
  const marked = mark.kind === 'read' ? mark.ended : [];
  if (reason === 'continued' && newest !== null)
    return { current: newest, reason, findings: [], ended: marked };
  const ended = [...marked];
  if (mark.kind === 'read') ended.push({ epoch: mark.epoch, n: mark.n });
  else if (newest !== null) ended.push({ epoch: newest.name, n: newest.last_n });

  const begin = db.transaction((): EpochRow => {
    for (const end of ended) noteLost(opened, end, reason, nowMs);
    const previous =
      mark.kind === 'read' && mark.epoch > (newest?.name ?? '') ? mark.epoch : (newest?.name ?? null);
    const name = newEpochId(nowMs, randomHex, previous);
    db.prepare('INSERT INTO epochs (name, reason, began_ms) VALUES (?, ?, ?)').run(
      name,
      reason,
      Math.round(nowMs),
    );
    return db.prepare<[string], EpochRow>('SELECT * FROM epochs WHERE name = ?').get(name)!;
  });
  db.pragma('synchronous = FULL');
  const current = begin.immediate();
  db.pragma('synchronous = NORMAL');
  const findings = describeStart(reason, opened, current.name);
  return { current, reason, findings, ended: ended.slice(-MAX_ENDED_EPOCHS) };
}

function judge(newest: EpochRow | null, mark: MarkOnDisk, quarantined: boolean): EpochReason {
  if (quarantined) return 'quarantined';
  if (newest === null) return mark.kind === 'missing' ? 'new' : 'lost';
  // Killed at the very first start, before the first mark.
  if (mark.kind === 'missing' && newest.last_n === 0 && newest.reason === 'new') return 'new';
  if (mark.kind !== 'read' || mark.epoch !== newest.name || mark.n > newest.last_n) return 'restored';
  return 'continued';
}

/** The numbers that the old epoch gave and this database doesn't know: the sinks are told when they register. */
function noteLost({ db }: OpenedDatabase, { epoch, n }: Sequence, reason: EpochReason, nowMs: number): void {
  const known = db.prepare<[string], EpochRow>('SELECT * FROM epochs WHERE name = ?').get(epoch);
  if (n <= (known?.last_n ?? 0)) return;
  const lostReason = `store-${reason}` as DropReason;
  if (known === undefined) {
    db.prepare(
      `INSERT INTO epochs (name, reason, began_ms, last_n, lost_from, lost_reason) VALUES (?, 'unknown', ?, ?, 1, ?)`,
    ).run(epoch, Math.round(nowMs), n, lostReason);
    return;
  }
  db.prepare('UPDATE epochs SET last_n = ?, lost_from = ?, lost_reason = ? WHERE id = ?').run(
    n,
    known.lost_from ?? known.last_n + 1,
    lostReason,
    known.id,
  );
}

function describeStart(
  reason: EpochReason,
  { path, quarantinedTo }: OpenedDatabase,
  epoch: string,
): string[] {
  switch (reason) {
    case 'quarantined':
      return [
        `${path} was damaged and is kept as ${quarantinedTo}; a new store was begun (epoch ${epoch}). ` +
          'Nothing deletes the old file: remove it when you no longer need it.',
      ];
    case 'lost':
      return [`${path} was gone, though events had been numbered; a new store was begun (epoch ${epoch}).`];
    case 'restored':
      return [
        `${path} is not the one last written (restored from a copy?); sequence numbers begin anew (epoch ${epoch}).`,
      ];
    case 'renamed':
      return [`this host has another name than before; sequence numbers begin anew (epoch ${epoch}).`];
    case 'cloned':
      return [
        `${path} was written on another machine: a copy; sequence numbers begin anew (epoch ${epoch}).`,
      ];
    default:
      return [];
  }
}
