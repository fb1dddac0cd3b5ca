import { fleetHost, fleetTotals, isNoteworthy } from '../../../hub/fleet.ts';
import { HubReader } from '../../../hub/store/reader.ts';
import { Exit, UserError } from '../../errors.ts';
import { type FleetPage, fleetPage, isStale } from '../../fleet-view.ts';
import { hubStateDir, openHubDatabase } from '../../hub/state.ts';
import { useColour } from '../status.ts';

export interface FleetStatusOptions {
  readonly 'state-dir'?: string | undefined;
  readonly all: boolean;
  readonly limit: number;
  readonly json: boolean;
}

/** What the hub knows, read beside it. */
export async function run(args: FleetStatusOptions): Promise<number> {
  if (!Number.isInteger(args.limit) || args.limit < 1)
    throw new UserError('--limit: expected a whole number from 1');
  const reader = HubReader.open(hubStateDir(args['state-dir']), openHubDatabase);
  try {
    const nowMs = Date.now();
    process.stdout.write(
      args.json ? `${JSON.stringify(document(reader, nowMs))}\n` : page(reader, args, nowMs),
    );
  } finally {
    reader.close();
  }
  return Exit.done;
}

function document(reader: HubReader, nowMs: number): object {
  const watch = reader.watch();
  const hosts = reader.hosts().map((known) => fleetHost(known, watch, nowMs));
  const writtenMs = reader.writtenMs();
  return {
    schemaVersion: 1,
    at: new Date(nowMs).toISOString(),
    writtenAt: writtenMs === null ? null : new Date(writtenMs).toISOString(),
    stale: isStale(writtenMs, nowMs),
    totals: fleetTotals(hosts),
    incidents: watch.fleet.map(({ id, group, cause, openedMs, severity, peak }) => ({
      id,
      ...group,
      cause,
      severity,
      peak,
      openedAt: new Date(openedMs).toISOString(),
    })),
    refusals: reader.refusals(),
    influx: reader.notCopied(),
    hosts,
  };
}

function page(reader: HubReader, { all, limit }: FleetStatusOptions, nowMs: number): string {
  return `${fleetPage(readPage(reader, all, limit, nowMs), nowMs, useColour())}\n`;
}

/** What a page says of the hub itself. */
export const pageOf = (reader: HubReader): Pick<FleetPage, 'writtenMs' | 'refused' | 'notCopied'> => ({
  writtenMs: reader.writtenMs(),
  refused: reader.refusals().reduce((sum, { count }) => sum + count, 0),
  notCopied: reader.notCopied(),
});

function readPage(reader: HubReader, all: boolean, limit: number, nowMs: number): FleetPage {
  const watch = reader.watch();
  const hosts = reader.hosts().map((known) => fleetHost(known, watch, nowMs));
  const these = all ? hosts : hosts.filter(isNoteworthy);
  return {
    ...pageOf(reader),
    totals: fleetTotals(hosts),
    incidents: watch.fleet,
    shown: these.slice(0, limit),
    ofThese: these.length,
  };
}
