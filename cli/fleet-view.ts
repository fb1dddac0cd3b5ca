import { printable } from '../agent/log.ts';
import { formatDuration } from '../core/words.ts';
import type { FleetHost, FleetTotals } from '../hub/fleet.ts';
import type { FleetIncident } from '../hub/watch.ts';
import { paint } from './alert-view.ts';

/** The fleet for people. What came from a host is data: control characters are shown, not obeyed. */

const MOST_KINDS = 6;

export interface FleetPage {
  readonly writtenMs: number | null;
  readonly totals: FleetTotals;
  readonly incidents: readonly FleetIncident[];
  /** Those that are shown, of how many that there are. */
  readonly shown: readonly FleetHost[];
  readonly ofThese: number;
  readonly refused: number;
  /** Rows that InfluxDB did not get. */
  readonly notCopied: { readonly refused: number; readonly removed: number };
}

/** A hub writes every ten seconds. */
const STALE_MS = 60_000;

export const isStale = (writtenMs: number | null, nowMs: number): boolean =>
  writtenMs === null || nowMs - writtenMs > STALE_MS;

export function fleetPage(page: FleetPage, nowMs: number, colour: boolean): string {
  const { totals, writtenMs, incidents, shown, ofThese, refused, notCopied } = page;
  const lines: string[] = [];
  const written = writtenMs === null ? 'never' : `${formatDuration(Math.max(0, nowMs - writtenMs))} ago`;
  lines.push(
    isStale(writtenMs, nowMs)
      ? paint(
          '31',
          `The hub last wrote ${written}: is it running? What follows is what it knew then.`,
          colour,
        )
      : `The hub last wrote ${written}.`,
  );
  const { hosts, online, silent, lost, stopped, inIncident, withGaps, cloned } = totals;
  lines.push(
    `${hosts} hosts: ${online} online, ${silent} silent, ${lost} lost a moment ago, ${stopped} stopped; ${inIncident} in an incident, ${withGaps} with missing events, ${cloned} cloned`,
  );
  if (hosts > 0) {
    lines.push(`  version  ${kinds(totals.byVersion)}`);
    lines.push(`  model    ${kinds(totals.byModel)}`);
    lines.push(`  rollout  ${kinds(totals.byRollout)}`);
  }
  if (refused > 0) lines.push(`  refused  ${refused} messages (--json names reasons and hosts)`);
  if (notCopied.refused > 0) lines.push(`  InfluxDB will never take ${notCopied.refused} rows`);
  if (notCopied.removed > 0)
    lines.push(`  InfluxDB missed ${notCopied.removed} rows: retention was before it`);
  for (const { cause, group, peak, openedMs, severity } of incidents) {
    const what = cause.kind === 'silent' ? 'silent' : `${cause.feature} (${cause.trigger})`;
    const where =
      group.label === null ? group.site : `${group.site}, ${group.label.name}=${group.label.value}`;
    lines.push(
      paint(
        severity === 'critical' ? '31' : '33',
        `${severity}: ${printable(what)} on up to ${peak} hosts of ${printable(where)}, for ${formatDuration(nowMs - openedMs)}`,
        colour,
      ),
    );
  }
  if (shown.length > 0) lines.push('');
  for (const host of shown) lines.push(hostLine(host, nowMs, colour));
  if (ofThese > shown.length) lines.push(`… and ${ofThese - shown.length} more (--limit ${ofThese})`);
  return lines.join('\n');
}

const kinds = (counts: Readonly<Record<string, number>>): string => {
  const all = Object.entries(counts);
  const named = all.slice(0, MOST_KINDS).map(([name, count]) => `${count} ${printable(name)}`);
  return [...named, ...(all.length > MOST_KINDS ? [`${all.length - MOST_KINDS} others`] : [])].join(', ');
};

const COLOUR: Readonly<Record<FleetHost['presence'], string>> = {
  online: '32',
  silent: '31',
  lost: '33',
  stopped: '2',
};

export function hostLine(host: FleetHost, nowMs: number, colour: boolean): string {
  const { presence, name, id, site, incident, missing, cloned, rollout, lastSeenAt } = host;
  const about = [`seen ${formatDuration(Math.max(0, nowMs - Date.parse(lastSeenAt)))} ago`];
  if (incident !== null)
    about.push(`${incident.severity} incident: ${incident.feature} (${incident.trigger})`);
  if (missing !== null) about.push(`${missing.count} events missing since ${missing.since}`);
  if (cloned) about.push('two hosts speak under this id (`edgewood identity renew` on one)');
  if ((rollout?.error ?? null) !== null) about.push(`rollout ${rollout?.state}: ${rollout?.error}`);
  const label = paint(COLOUR[presence], presence.padEnd(8), colour);
  return `${label} ${printable(`${name} (${site}/${id})`)}  ${printable(about.join('; '))}`;
}
