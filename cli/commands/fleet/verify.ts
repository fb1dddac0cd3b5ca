import { printable } from '../../../agent/log.ts';
import { HubReader, type KnownHost } from '../../../hub/store/reader.ts';
import { type CheckResult, type FleetCheck, HOST_STATE } from '../../../hub/verify.ts';
import { BrokerClient } from '../../broker/client.ts';
import { type BrokerOptions, brokerConfig, brokerSites } from '../../broker/options.ts';
import { Exit, UserError } from '../../errors.ts';
import { hubStateDir, openHubDatabase } from '../../hub/state.ts';

export interface FleetVerifyOptions extends BrokerOptions {
  readonly 'state-dir'?: string | undefined;
  readonly limit: number;
  readonly json: boolean;
}

/** In the order in which they are run. */
const CHECKS: readonly FleetCheck[] = [HOST_STATE];

/** What the broker retains, held against what is known here; exit code 1 where they differ. */
export async function run(args: FleetVerifyOptions): Promise<number> {
  if (!Number.isInteger(args.limit) || args.limit < 1)
    throw new UserError('--limit: expected a whole number from 1');
  const config = brokerConfig(args);
  const sites = brokerSites(args);
  const hosts = knownHosts(args);
  const broker = await BrokerClient.connect(config, { purpose: 'fleet' });
  try {
    const results: Record<string, CheckResult> = {};
    for (const check of CHECKS) results[check.name] = await check.run({ sites, hosts, broker });
    const findings = Object.values(results).flatMap((result) => result.findings);
    process.stdout.write(
      args.json
        ? `${JSON.stringify({ schemaVersion: 1, sites, checks: results })}\n`
        : page(results, args.limit),
    );
    return findings.length === 0 ? Exit.done : Exit.checkSaysNo;
  } finally {
    await broker.close();
  }
}

function knownHosts(args: FleetVerifyOptions): readonly KnownHost[] {
  const reader = HubReader.open(hubStateDir(args['state-dir']), openHubDatabase);
  try {
    return reader.hosts();
  } finally {
    reader.close();
  }
}

function page(results: Readonly<Record<string, CheckResult>>, limit: number): string {
  const lines: string[] = [];
  for (const [name, { checked, fine, findings }] of Object.entries(results)) {
    lines.push(`${findings.length === 0 ? '✓' : '✗'} ${name}: ${fine} of ${checked} as the hub knows them`);
    const kinds = Map.groupBy(findings, ({ finding }) => finding);
    for (const [finding, same] of kinds) lines.push(`    ${same.length} ${finding}: ${same[0]?.says}`);
    for (const { finding, subject } of findings.slice(0, limit))
      lines.push(`  ${finding}  ${printable(subject)}`);
    if (findings.length > limit)
      lines.push(`  … and ${findings.length - limit} more (--limit ${findings.length})`);
  }
  return `${lines.join('\n')}\n`;
}
