import type { Database, Statement } from 'better-sqlite3';
import type { AlertRow, EventRow } from './statements.ts';

/** What the store gives on to others, row by row in the order of receipt, each feed behind a cursor of its own. */
export const FEEDS = ['events', 'reported', 'alerts', 'samples'] as const;
export type Feed = (typeof FEEDS)[number];

interface OfHost {
  readonly id: number;
  readonly time_ms: number;
  readonly site: string;
  readonly host_id: string;
  readonly host_name: string;
  /** JSON. */
  readonly labels: string;
}

/** A verdict comes with what was said of this host's incidents up to then. */
export interface EventFeedRow extends EventRow {
  /** JSON: { verdict: count }; null for what is no verdict. */
  readonly verdicts: string | null;
}

export interface ReportedRow extends OfHost {
  /** ReportedState as JSON. */
  readonly state: string;
}

export interface SampleFeedRow extends OfHost {
  /** JSON: names. */
  readonly metrics: string;
  /** JSON: values in their order, null where missing. */
  readonly row: string;
}

export interface FeedRows {
  readonly events: EventFeedRow;
  readonly reported: ReportedRow;
  readonly alerts: AlertRow & { readonly id: number };
  readonly samples: SampleFeedRow;
}

const OF_HOST = "h.site, h.host_id, h.document ->> '$.name' AS host_name, h.document -> '$.labels' AS labels";

const SQL: Readonly<Record<Feed, string>> = {
  events: `SELECT e.id, e.epoch, e.n, e.type, e.severity, e.time_ms, e.subject, e.data, h.site, h.host_id,
      CASE e.type WHEN 'edgewood.verdict' THEN (
        SELECT json_group_object(verdict, count) FROM (
          SELECT verdict, count(*) AS count FROM verdicts v
          WHERE v.host = e.host AND v.time_ms <= e.time_ms GROUP BY verdict)) END AS verdicts
    FROM events e JOIN hosts h ON h.id = e.host WHERE e.id > ? ORDER BY e.id LIMIT ?`,
  reported: `SELECT r.id, r.at_ms AS time_ms, r.state, ${OF_HOST}
    FROM reported_changes r JOIN hosts h ON h.id = r.host WHERE r.id > ? ORDER BY r.id LIMIT ?`,
  alerts: `SELECT n AS id, n, type, site, severity, time_ms, subject, data FROM hub_alerts
    WHERE n > ? ORDER BY n LIMIT ?`,
  samples: `SELECT s.id, s.time_ms, m.names AS metrics, s.row, ${OF_HOST}
    FROM samples s JOIN hosts h ON h.id = s.host JOIN metric_sets m ON m.id = s.metrics
    WHERE s.id > ? ORDER BY s.id LIMIT ?`,
};

/** Of one reading: an event may have 64 KiB. */
const MAX_CHARACTERS = 1_000_000;

type Select = Statement<[number, number], { readonly id: number; readonly data?: string }>;

export class Feeds {
  readonly #select: Readonly<Record<Feed, Select>>;

  constructor(db: Database) {
    const prepare = (feed: Feed): Select => db.prepare(SQL[feed]);
    this.#select = {
      events: prepare('events'),
      reported: prepare('reported'),
      alerts: prepare('alerts'),
      samples: prepare('samples'),
    };
  }

  /** The next rows after one, at most `limit`, and no more than about a megabyte. */
  after<F extends Feed>(feed: F, id: number, limit: number): FeedRows[F][] {
    const rows: FeedRows[F][] = [];
    let characters = 0;
    for (const row of this.#select[feed].iterate(id, limit)) {
      rows.push(row as FeedRows[F]);
      characters += row.data?.length ?? 0;
      if (characters >= MAX_CHARACTERS) break;
    }
    return rows;
  }
}
