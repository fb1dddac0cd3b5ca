import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Samples, samplesCsv, samplesOf } from '../../../hub/samples.ts';
import { keepSamples } from '../../../hub/store/samples.ts';
import { UserError } from '../../errors.ts';
import { writeOutput } from '../../files.ts';
import { type Ask, type CommandOptions, commandHosts, type Host } from '../../fleet/command-hosts.ts';
import { CommandFault } from '../../hub/ask.ts';
import { hubStateDir, openHubDatabase } from '../../hub/state.ts';
import { timeOption } from '../../time-option.ts';

export interface FleetSamplesOptions extends CommandOptions {
  readonly from: string;
  readonly to?: string | undefined;
  readonly out?: string | undefined;
  readonly store: boolean;
  readonly 'state-dir'?: string | undefined;
}

/** Of one command; an agent gives up to 50,000, and holds them meanwhile. A day at 5 s has 17,280. */
const PAGE_ROWS = 20_000;
const MAX_PAGE_BYTES = 64 * 1024 * 1024;
const MOST_ROWS = 2_000_000;

/** Samples of hosts, asked for by signed commands; what `train` reads. */
export async function run(args: FleetSamplesOptions): Promise<number> {
  if (args.out === undefined && !args.store) throw new UserError('where to? --out DIR, --store, or both');
  const nowMs = Date.now();
  const fromMs = timeOption('--from', args.from, nowMs);
  const toMs = args.to === undefined ? nowMs : timeOption('--to', args.to, nowMs);
  if (fromMs >= toMs) throw new UserError('--from: expected a time before --to');
  if (args.out !== undefined) mkdirSync(args.out, { recursive: true });
  const written = new Map<string, Host>();
  return commandHosts(
    args,
    'send-samples',
    async (ask, host) => {
      const samples = await pages(ask, fromMs, toMs);
      const path = keep(args, host, samples, written);
      const rows = samples.rows.length;
      return { text: `${rows} samples${path === null ? '' : ` in ${path}`}`, json: { rows, path } };
    },
    MAX_PAGE_BYTES,
  );
}

/** One command after the other until the host has no more. @throws CommandFault */
async function pages(ask: Ask, fromMs: number, toMs: number): Promise<Samples> {
  const all: Samples['rows'][number][] = [];
  let metrics: readonly string[] = [];
  for (let nextMs = fromMs; ; ) {
    const page = samplesOf(
      await ask({
        from: new Date(nextMs).toISOString(),
        to: new Date(toMs).toISOString(),
        limit: PAGE_ROWS,
      }),
    );
    if ('fault' in page) throw new CommandFault('failed', page.fault);
    const fresh = page.rows.filter(({ timeMs }) => timeMs >= nextMs && timeMs <= toMs);
    if (all.length > 0 && JSON.stringify(page.metrics) !== JSON.stringify(metrics))
      throw new CommandFault('failed', 'its metrics changed meanwhile; ask once more');
    metrics = page.metrics;
    for (const row of fresh) all.push(row);
    if (all.length > MOST_ROWS)
      throw new CommandFault('failed', `more than ${MOST_ROWS} samples: ask for less`);
    const last = fresh.at(-1);
    if (page.rows.length < PAGE_ROWS || last === undefined || last.timeMs >= toMs)
      return { metrics, rows: all };
    nextMs = last.timeMs + 1;
  }
}

/** @returns the file; null: the hub's database alone */
function keep(
  args: FleetSamplesOptions,
  host: Host,
  samples: Samples,
  written: Map<string, Host>,
): string | null {
  if (args.store) keepSamples(hubStateDir(args['state-dir']), openHubDatabase, host, samples);
  if (args.out === undefined) return null;
  const path = join(args.out, `${host.hostId}.csv`);
  const other = written.get(path);
  // Checked before, a host of the same name at another site would have to be asked for twice.
  if (other !== undefined)
    throw new CommandFault(
      'failed',
      `${path} holds those of ${other.site}/${other.hostId}: ask for each site alone`,
    );
  written.set(path, host);
  writeOutput(path, samplesCsv(samples));
  return path;
}
