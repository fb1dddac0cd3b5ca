import { printable } from '../../../agent/log.ts';
import { HubAbsent } from '../../../hub/store/hub-store-error.ts';
import { HubReader, type KnownHost } from '../../../hub/store/reader.ts';
import { type CheckContext, type CheckFinding, type CheckResult, HOST_STATE } from '../../../hub/verify.ts';
import { RegistryError } from '../../../models/registry/registry-error.ts';
import { BrokerClient } from '../../broker/client.ts';
import { type BrokerOptions, brokerConfig, brokerSites } from '../../broker/options.ts';
import { Exit, UserError } from '../../errors.ts';
import { releaseCheck, rolloutCheck } from '../../fleet/document-checks.ts';
import { hubStateDir, openHubDatabase } from '../../hub/state.ts';

export interface FleetVerifyOptions extends BrokerOptions {
  readonly 'state-dir'?: string | undefined;
  readonly registry?: string | undefined;
  readonly check?: readonly CheckName[] | undefined;
  readonly repair: boolean;
  readonly limit: number;
  readonly json: boolean;
}

type CheckName = 'hosts' | 'releases' | 'rollouts';
type Run = (args: FleetVerifyOptions, context: Omit<CheckContext, 'hosts'>) => Promise<CheckResult>;

/** In the order in which they are run: hosts that hear of a rollout find its release. */
const CHECKS: Readonly<Record<CheckName, Run>> = {
  hosts: (args, context) => HOST_STATE.run({ ...context, hosts: knownHosts(args) }),
  releases: (args, context) => releaseCheck(args.registry).run({ ...context, hosts: [] }),
  rollouts: (args, context) => rolloutCheck(args.registry).run({ ...context, hosts: [] }),
};

/** What the broker retains, held against what is known here; exit code 1 where they differ. */
export async function run(args: FleetVerifyOptions): Promise<number> {
  if (!Number.isInteger(args.limit) || args.limit < 1)
    throw new UserError('--limit: expected a whole number from 1');
  const config = brokerConfig(args);
  const sites = brokerSites(args);
  const broker = await BrokerClient.connect(config, { purpose: 'fleet' });
  try {
    const results: Record<string, CheckResult> = {};
    const skipped: Record<string, string> = {};
    for (const [name, check] of Object.entries(CHECKS)) {
      if (args.check !== undefined && !args.check.includes(name as CheckName)) continue;
      try {
        results[name] = await check(args, { sites, broker, repair: args.repair });
      } catch (error) {
        if (args.check !== undefined || !isAbsent(error)) throw error;
        skipped[name] = error.message;
      }
    }
    if (Object.keys(results).length === 0) throw new UserError(Object.values(skipped).join('\n'));
    const findings = Object.values(results).flatMap((result) => result.findings);
    process.stdout.write(
      args.json
        ? `${JSON.stringify({ schemaVersion: 1, sites, checks: results, skipped })}\n`
        : page(results, skipped, args.limit),
    );
    const fine = findings.every(({ repaired }) => repaired) && !Object.values(results).some(sawNothing);
    return fine ? Exit.done : Exit.checkSaysNo;
  } finally {
    await broker.close();
  }
}

/** What there is nothing of on this machine. */
const isAbsent = (error: unknown): error is Error =>
  error instanceof HubAbsent || (error instanceof RegistryError && error.fault === 'absent');

function knownHosts(args: FleetVerifyOptions): readonly KnownHost[] {
  const reader = HubReader.open(hubStateDir(args['state-dir']), openHubDatabase);
  try {
    return reader.hosts();
  } finally {
    reader.close();
  }
}

/** There is something, at sites that were not named: green over nothing would stay so for ever. */
const sawNothing = ({ checked, notes = [] }: CheckResult): boolean => checked === 0 && notes.length > 0;

/** What each check found them like. */
const AS: Readonly<Record<string, string>> = { hosts: 'as the hub knows them' };

function page(
  results: Readonly<Record<string, CheckResult>>,
  skipped: Readonly<Record<string, string>>,
  limit: number,
): string {
  const lines: string[] = [];
  for (const [name, result] of Object.entries(results)) {
    const { checked, fine, findings, notes = [] } = result;
    const restored = findings.filter(({ repaired }) => repaired);
    const left = findings.filter(({ repaired }) => !repaired);
    const mended = restored.length === 0 ? '' : `, ${restored.length} put back`;
    lines.push(
      `${left.length === 0 && !sawNothing(result) ? '✓' : '✗'} ${name}: ${fine} of ${checked} ${AS[name] ?? 'as they were published'}${mended}`,
    );
    for (const note of notes) lines.push(`    ${printable(note)}`);
    lines.push(...listed(left, limit));
  }
  for (const [name, why] of Object.entries(skipped))
    lines.push(`- ${name}: not looked at: ${printable(why)}`);
  return `${lines.join('\n')}\n`;
}

function listed(findings: readonly CheckFinding[], limit: number): string[] {
  const kinds = Map.groupBy(findings, ({ finding, says }) => `${finding}: ${says}`);
  const lines = [...kinds].map(([words, same]) => `    ${same.length} ${printable(words)}`);
  for (const { finding, subject } of findings.slice(0, limit))
    lines.push(`  ${finding}  ${printable(subject)}`);
  if (findings.length > limit)
    lines.push(`  … and ${findings.length - limit} more (--limit ${findings.length})`);
  return lines;
}
