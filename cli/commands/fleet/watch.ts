import { printable } from '../../../agent/log.ts';
import { fleetTotals, isNoteworthy } from '../../../hub/fleet.ts';
import { FleetCache } from '../../../hub/fleet-cache.ts';
import { HubReader } from '../../../hub/store/reader.ts';
import { paint } from '../../alert-view.ts';
import { Exit } from '../../errors.ts';
import { fleetPage, hostLine } from '../../fleet-view.ts';
import { hubStateDir, openHubDatabase } from '../../hub/state.ts';
import { useColour } from '../status.ts';
import { pageOf } from './status.ts';

export interface FleetWatchOptions {
  readonly 'state-dir'?: string | undefined;
  readonly json: boolean;
}

const EVERY_MS = 1000;
const MOST_AT_ONCE = 1000;
const MOST_LINES = 15;

/** What changes in the fleet, as it changes, until interrupted: NDJSON, lines, or on a terminal a page. */
export async function run(args: FleetWatchOptions): Promise<number> {
  const reader = HubReader.open(hubStateDir(args['state-dir']), openHubDatabase);
  const end = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end.resolve());
  const live = !args.json && process.stdout.isTTY === true;
  const watching = new Watching(reader, args.json);
  const look = (): void => {
    const lines = watching.look(live);
    if (live) draw(reader, watching.fleet, lines);
    else for (const line of lines) process.stdout.write(`${line}\n`);
  };
  try {
    look();
    const timer = setInterval(look, EVERY_MS);
    await end.promise;
    clearInterval(timer);
  } finally {
    reader.close();
  }
  return Exit.done;
}

/** Home, the page with the last changes below, and nothing of what stood there before. */
function draw(reader: HubReader, fleet: FleetCache, changes: readonly string[]): void {
  const nowMs = Date.now();
  const rows = Math.max(10, (process.stdout.rows ?? 24) - 12);
  const { hosts, incidents } = fleet;
  const these = hosts.filter(isNoteworthy);
  const shown = fleet.reread(these.slice(0, rows), nowMs);
  const about = { totals: fleetTotals(hosts), incidents, shown, ofThese: these.length };
  const page = fleetPage({ ...about, ...pageOf(reader) }, nowMs, useColour());
  const text = [page, '', ...changes.slice(-MOST_LINES)].join('\n');
  process.stdout.write(`\u001b[H${text.replaceAll('\n', '\u001b[K\n')}\u001b[K\u001b[J`);
}

class Watching {
  readonly #reader: HubReader;
  readonly #json: boolean;
  readonly fleet: FleetCache;
  /** The first look says nothing but the totals. */
  #looked = false;
  #version = -1;
  #alert: number;
  #event: number;
  /** Those that stay on a terminal. */
  #kept: string[] = [];

  constructor(reader: HubReader, json: boolean) {
    this.#reader = reader;
    this.#json = json;
    this.fleet = new FleetCache(reader);
    this.#event = reader.lastEvent();
    this.#alert = reader.lastAlert();
  }

  /** @param keep all of the last lines, not only the new ones */
  look(keep: boolean): readonly string[] {
    const version = this.#reader.version();
    if (version === this.#version) return this.#kept;
    this.#version = version;
    const nowMs = Date.now();
    const lines = [...this.#changedHosts(nowMs), ...this.#alerts()];
    if (!keep) return lines;
    this.#kept = [...this.#kept, ...lines].slice(-MOST_LINES);
    return this.#kept;
  }

  #changedHosts(nowMs: number): string[] {
    const changed = this.fleet.refresh(nowMs);
    const first = !this.#looked;
    this.#looked = true;
    if (first)
      return this.#json ? [JSON.stringify({ kind: 'totals', ...fleetTotals(this.fleet.hosts) })] : [];
    return changed.map((host) =>
      this.#json ? JSON.stringify({ kind: 'host', ...host }) : hostLine(host, nowMs, useColour()),
    );
  }

  #alerts(): string[] {
    const events = this.#reader.alertsOfHostsAfter(this.#event, MOST_AT_ONCE);
    const alerts = this.#reader.alertsAfter(this.#alert, MOST_AT_ONCE);
    this.#event = events.at(-1)?.id ?? this.#event;
    this.#alert = alerts.at(-1)?.n ?? this.#alert;
    const told = alerts.map(({ type, site, severity, time_ms, subject, data }) => ({
      kind: 'hubAlert',
      type,
      site,
      host: subject,
      severity,
      time: new Date(time_ms).toISOString(),
      data: JSON.parse(data) as Record<string, unknown>,
    }));
    const heard = events.map(({ type, site, host_id, severity, time_ms, data }) => ({
      kind: 'alert',
      type,
      site,
      host: host_id,
      severity,
      time: new Date(time_ms).toISOString(),
      data: JSON.parse(data) as Record<string, unknown>,
    }));
    return [...heard, ...told].map((one) => (this.#json ? JSON.stringify(one) : alertText(one)));
  }
}

const COLOUR: Readonly<Record<string, string>> = { info: '36', warning: '33', critical: '31' };

function alertText(alert: {
  readonly site: string;
  readonly host: string;
  readonly severity: string | null;
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
}): string {
  const { sentence, explanation, state } = alert.data as {
    sentence?: unknown;
    explanation?: { sentence?: unknown };
    state?: unknown;
  };
  const words = sentence ?? explanation?.sentence;
  const severity = alert.severity ?? '';
  const label = paint(COLOUR[severity] ?? '0', severity.padEnd(8), useColour());
  const at = alert.time.replace('T', ' ').slice(0, 19);
  return `${at}  ${label} ${printable(String(state ?? '').slice(0, 16)).padEnd(9)} ${printable(`${alert.site}/${alert.host}`)}: ${printable(typeof words === 'string' ? words : '')}`;
}
