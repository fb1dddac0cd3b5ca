import { EVENT_TYPES, type EventType, type Severity, type StoredEvent } from '../../core/protocol/events.ts';
import type { HubAlert } from '../../core/protocol/hub-alerts.ts';
import { eventLine, hostTags } from '../../core/protocol/influx.ts';
import {
  fetchedSampleLine,
  hubAlertLine,
  type ReportedPoint,
  reportedLine,
  verdictLine,
} from '../../core/protocol/influx-hub.ts';
import type { EventFeedRow, Feed, FeedRows, ReportedRow, SampleFeedRow } from '../../hub/store/feeds.ts';

/** Lines of a row, in line protocol: none where there is nothing to write of it. */
export const linesOf = <F extends Feed>(feed: F, row: FeedRows[F]): readonly string[] => WRITERS[feed](row);

const WRITERS: { readonly [F in Feed]: (row: FeedRows[F]) => readonly string[] } = {
  events: (row) => [eventLineOf(row), ...verdictLines(row)],
  reported: (row) => [reportedLine(tagsOf(row), row.time_ms, row.id, JSON.parse(row.state) as ReportedPoint)],
  alerts: ({ n, type, site, severity, time_ms: timeMs, subject, data }) => {
    const document = JSON.parse(data) as HubAlert['data'];
    const { sequence } = document;
    return [
      hubAlertLine({
        type,
        site,
        severity,
        timeMs,
        subject,
        data: document,
        sequence: { ...sequence, n },
      } as HubAlert),
    ];
  },
  samples: (row) => {
    const { metrics, row: values } = row;
    const line = fetchedSampleLine(
      tagsOf(row),
      row.time_ms,
      JSON.parse(metrics) as string[],
      JSON.parse(values) as (number | null)[],
    );
    return line === null ? [] : [line];
  },
};

const tagsOf = ({ site, host_id: hostId, host_name: hostName, labels }: ReportedRow | SampleFeedRow) =>
  hostTags({ site, hostId, hostName, labels: JSON.parse(labels) as Record<string, string> });

/** As the event says: the hub may know the host by another name since. */
function tagsOfEvent({ site, host_id: hostId, data }: EventFeedRow): Record<string, string> {
  const { host } = JSON.parse(data) as { host?: { name?: unknown; labels?: unknown } };
  const labels = typeof host?.labels === 'object' && host.labels !== null ? Object.entries(host.labels) : [];
  return hostTags({
    site,
    hostId,
    hostName: typeof host?.name === 'string' ? host.name : hostId,
    labels: Object.fromEntries(
      labels.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    ),
  });
}

function eventLineOf(row: EventFeedRow): string {
  const { epoch, n, type, severity, time_ms: timeMs, subject, data } = row;
  const event: StoredEvent = {
    sequence: { epoch, n },
    id: `${epoch}-${n}`,
    type: type as EventType,
    severity: severity as Severity | null,
    timeMs,
    subject,
    data,
  };
  const tags = tagsOfEvent(row);
  try {
    return eventLine(tags, event);
  } catch {
    // It says to be an incident and is none: kept as it is.
    return eventLine(tags, { ...event, type: EVENT_TYPES.started });
  }
}

function verdictLines(row: EventFeedRow): string[] {
  if (row.verdicts === null) return [];
  const { verdict, incidentId, note } = JSON.parse(row.data) as Readonly<Record<string, unknown>>;
  const point = {
    verdict: typeof verdict === 'string' ? verdict : '',
    incidentId: typeof incidentId === 'string' ? incidentId : null,
    note: typeof note === 'string' ? note : '',
    counts: JSON.parse(row.verdicts) as Record<string, number>,
  };
  return [verdictLine(tagsOfEvent(row), row.time_ms, row.n, point)];
}
