import { MAX_REPORTED_BYTES, parseReported } from '../../core/protocol/reported.ts';
import type { StatusDocument } from '../../core/protocol/status.ts';
import { agentTopics, parseTopic, ROOT } from '../../core/protocol/topics.ts';
import type { Broker, Message } from '../../hub/broker.ts';
import { hostKey, type KnownHost } from '../../models/rollout/plan.ts';
import { Exit, UserError } from '../errors.ts';

type HostName = Pick<KnownHost, 'site' | 'hostId'>;

export interface FleetRead {
  readonly hosts: readonly KnownHost[];
  /** Topics that the broker doesn't let us read: their hosts count as if they had said nothing. */
  readonly refused: number;
  /** Hosts whose report is none, by why. */
  readonly faulty: readonly { readonly host: string; readonly fault: string }[];
  readonly bytes: number;
}

const MAX_STATUS_BYTES = 16 * 1024;

/** Reads what hosts have retained. Who are there is told by their `status`; reports are asked for host by host. */
export class FleetReader {
  readonly #statuses = new Map<string, Uint8Array>();

  /** Give it to the client as its `messages`. */
  readonly take = ({ topic, payload }: Message): void => {
    if (parseTopic(topic)?.kind === 'status') this.#statuses.set(topic, payload);
  };

  /**
   * @param known hosts to be asked for as well: a stock broker may not tell of all at once
   * @throws UserError where the broker lets nobody see who is there
   */
  async read(broker: Broker, sites: readonly string[], known: readonly HostName[]): Promise<FleetRead> {
    await this.#discover(broker, sites);
    const names = new Map<string, HostName>();
    for (const host of known) if (sites.includes(host.site)) names.set(hostKey(host), host);
    for (const topic of this.#statuses.keys()) {
      const parsed = parseTopic(topic);
      if (parsed?.kind === 'status') names.set(hostKey(parsed), { site: parsed.site, hostId: parsed.hostId });
    }
    const topics = [...names.values()].map((host) => ({ host, ...agentTopics(host.site, host.hostId) }));
    const unheard = topics.filter(({ status }) => !this.#statuses.has(status)).map(({ status }) => status);
    const { found, refused } = await broker.readRetained([
      ...topics.map(({ reported }) => reported),
      ...unheard,
    ]);
    const faulty: { host: string; fault: string }[] = [];
    let bytes = 0;
    const hosts = topics.map(({ host, status, reported }): KnownHost => {
      const [said, there] = [found.get(reported), this.#statuses.get(status) ?? found.get(status)];
      bytes += (said?.length ?? 0) + (there?.length ?? 0);
      const report = said === undefined || said.length === 0 ? null : reportOf(said, host);
      if (report !== null && 'fault' in report) {
        faulty.push({ host: hostKey(host), fault: report.fault });
        return { ...host, online: onlineOf(there, null), reported: null };
      }
      return { ...host, online: onlineOf(there, report?.bootId ?? null), reported: report };
    });
    return { hosts, refused: refused.length, faulty, bytes };
  }

  async #discover(broker: Broker, sites: readonly string[]): Promise<void> {
    this.#statuses.clear();
    const filters = sites.map((site) => `${ROOT}/${site}/a/+/status`);
    // At QoS 0 a stock Mosquitto sends all of them at once, and the answer to the next packet behind them.
    const answers = await broker.subscribe(filters, { qos: 0, retained: true });
    const no = answers.find(({ granted }) => !granted);
    if (no !== undefined) {
      throw new UserError(
        `the broker does not let us read ${no.filter} (reason ${no.code}); who rolls out has to read status and reported of every host`,
        Exit.unreachable,
      );
    }
    await broker.unsubscribe(filters);
  }
}

function reportOf(bytes: Uint8Array, host: HostName): ReturnType<typeof parseReported> {
  if (bytes.length > MAX_REPORTED_BYTES) {
    return { fault: `${bytes.length} bytes, at most ${MAX_REPORTED_BYTES} are read` };
  }
  const report = parseReported(Buffer.from(bytes).toString('utf8'));
  if ('fault' in report) return report;
  // Access rules speak of topics: what a host says of another is not believed.
  return report.hostId === host.hostId && report.site === host.site
    ? report
    : { fault: 'it names another host than its topic' };
}

/** @param bootId of the host's report: a will of another boot says nothing of this one */
function onlineOf(bytes: Uint8Array | undefined, bootId: string | null): boolean | null {
  if (bytes === undefined || bytes.length === 0 || bytes.length > MAX_STATUS_BYTES) return null;
  let status: Partial<StatusDocument> | null;
  try {
    status = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<StatusDocument> | null;
  } catch {
    return null;
  }
  if (typeof status?.online !== 'boolean') return null;
  return status.online || (bootId !== null && status.bootId !== bootId);
}
