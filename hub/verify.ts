import { agentTopics } from '../core/protocol/topics.ts';
import type { Broker } from './broker.ts';
import type { HostState } from './host.ts';
import { parseMessage } from './inbound.ts';
import type { KnownHost } from './store/reader.ts';
import { hostKey } from './watch.ts';

export interface CheckFinding {
  readonly check: string;
  /** A stable word. */
  readonly finding: string;
  /** What it is about: a host, or a topic. */
  readonly subject: string;
  readonly says: string;
  /** It is as it should be again. */
  readonly repaired?: boolean;
}

export interface CheckResult {
  /** How many things were looked at, and how many of these are as they should be. */
  readonly checked: number;
  readonly fine: number;
  readonly findings: readonly CheckFinding[];
  /** What was not looked at, in words. */
  readonly notes?: readonly string[];
}

export interface CheckContext {
  readonly sites: readonly string[];
  readonly hosts: readonly KnownHost[];
  /** Without other subscriptions. */
  readonly broker: Broker;
  /** Put right what can be. */
  readonly repair: boolean;
}

/** One thing that `fleet verify` holds against the broker. What it finds astray it may also put right. */
export interface FleetCheck {
  readonly name: string;
  run(context: CheckContext): Promise<CheckResult>;
}

/** Retained state of every known host against what the hub has; and hosts that the hub has never heard of. */
export const HOST_STATE: FleetCheck = {
  name: 'hosts',
  run: async ({ sites, hosts, broker }) => {
    const ours = hosts.filter(({ host }) => sites.includes(host.site));
    const topics = ours.map(({ host }) => agentTopics(host.site, host.hostId));
    const read = await broker.readRetained(topics.flatMap(({ status, reported }) => [status, reported]));
    const refused = new Set(read.refused);
    const findings: CheckFinding[] = [];
    const add = (host: { site: string; hostId: string }, finding: string, says: string): void => {
      findings.push({ check: 'hosts', finding, subject: hostKey(host.site, host.hostId), says });
    };
    let fine = 0;
    ours.forEach((known, i) => {
      const { status, reported } = topics[i] as (typeof topics)[number];
      const before = findings.length;
      if (refused.has(status)) add(known.host, 'refused', 'the broker does not let this user read its state');
      else compareStatus(known.host, status, read.found.get(status), (...words) => add(known.host, ...words));
      compareReported(known, reported, read.found.get(reported), (...words) => add(known.host, ...words));
      if (findings.length === before) fine++;
    });
    const strangers = await findStrangers(sites, ours, new Set(read.found.keys()), broker);
    return { checked: ours.length, fine, findings: [...findings, ...strangers] };
  },
};

type Add = (finding: string, says: string) => void;

function compareStatus(host: HostState, topic: string, payload: Uint8Array | undefined, add: Add): void {
  if (payload === undefined) {
    add('statusMissing', 'nothing is retained of it: the broker lost it, or it was decommissioned');
    return;
  }
  const from = parseMessage({ topic, payload, retained: true });
  if (from === null || !('observation' in from) || from.observation.kind !== 'status') {
    add('statusInvalid', 'what is retained as its state is none');
    return;
  }
  const { bootId, online, atMs } = from.observation;
  const older = host.formerBoots.includes(bootId) || (!online && atMs === null && bootId !== host.bootId);
  if (bootId !== host.bootId && !older)
    add('statusUnheard', 'it has started since, and the hub has not heard of it');
}

function compareReported(
  { reported }: KnownHost,
  topic: string,
  payload: Uint8Array | undefined,
  add: Add,
): void {
  if (payload === undefined) {
    if (reported !== null) add('reportedMissing', 'what it reported of its models is gone from the broker');
    return;
  }
  const from = parseMessage({ topic, payload, retained: true });
  if (from === null || !('observation' in from) || from.observation.kind !== 'reported') {
    add('reportedInvalid', 'what is retained as its report is none');
    return;
  }
  const known = typeof reported?.['at'] === 'string' ? Date.parse(reported['at']) : Number.NEGATIVE_INFINITY;
  if (from.observation.atMs > known)
    add('reportedUnheard', 'it has reported since, and the hub has not heard of it');
}

/**
 * Hosts that the hub does not know, by a wildcard, which a broker may cut short. The known ones are the measure: each
 * of them that is retained has to be in the answer.
 */
async function findStrangers(
  sites: readonly string[],
  ours: readonly KnownHost[],
  retained: ReadonlySet<string>,
  broker: Broker,
): Promise<CheckFinding[]> {
  const known = new Set(ours.map(({ host }) => agentTopics(host.site, host.hostId).status));
  const findings: CheckFinding[] = [];
  for (const site of sites) {
    const filter = agentTopics(site, 'x').status.replace(/x\/status$/, '+/status');
    const listed = await broker.listRetained(filter);
    for (const topic of listed) {
      if (known.has(topic)) continue;
      const [, , , , id = ''] = topic.split('/');
      findings.push({
        check: 'hosts',
        finding: 'unknown',
        subject: hostKey(site, id),
        says: 'its state is retained, and the hub has never heard it: gone, or not yet back',
      });
    }
    const expected = [...known].filter(
      (topic) => retained.has(topic) && topic.startsWith(filter.split('+')[0] as string),
    );
    const missed = expected.filter((topic) => !listed.has(topic)).length;
    if (missed > 0) {
      findings.push({
        check: 'hosts',
        finding: 'listCutShort',
        subject: site,
        says: `the broker listed ${expected.length - missed} of ${expected.length} known hosts: there may be unknown ones that it left out`,
      });
    }
  }
  return findings;
}
