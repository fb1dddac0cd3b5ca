import { connectAsync, type MqttClient } from 'mqtt';
import { parseReported, type ReportedDocument } from '../../../core/protocol/reported.ts';
import { parseTopic } from '../../../core/protocol/topics.ts';
import type { RolloutDocument } from '../../../core/protocol/trust.ts';
import { documentOf, openEnvelope } from '../../../models/trust/envelope.ts';
import { SITE } from '../../support/rollout-scene.ts';

/** Watches from outside what is said on the broker: nothing of it is taken from the code that is proven. */
export class Observer {
  readonly reports = new Map<string, ReportedDocument>();
  /** Documents as they came, with the time. */
  readonly rollouts: { readonly document: RolloutDocument; readonly atMs: number }[] = [];
  /** Hosts that ever ran an artifact from the centre, by its digest. */
  readonly ran = new Map<string, Set<string>>();
  /** Hosts that took back an artifact from the centre, as it came. */
  readonly left: {
    readonly hostId: string;
    readonly sha256: string;
    readonly code: string;
    readonly atMs: number;
  }[] = [];
  readonly #client: MqttClient;
  #changed: () => void = () => {};

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (topic, payload) => this.#take(topic, payload));
  }

  static async connect(port: number): Promise<Observer> {
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 });
    const observer = new Observer(client);
    await client.subscribeAsync([`edgewood/1/${SITE}/a/+/reported`, `edgewood/1/${SITE}/m/+/rollout`], {
      qos: 0,
    });
    return observer;
  }

  #take(topic: string, payload: Buffer): void {
    const parsed = parseTopic(topic);
    if (parsed?.kind === 'rollout') {
      const document = documentOf(openEnvelope(payload), 'rollout');
      if (this.rollouts.at(-1)?.document.version !== document.version)
        this.rollouts.push({ document, atMs: performance.now() });
    } else if (parsed?.kind === 'reported') {
      const report = parseReported(payload.toString());
      if ('fault' in report) throw new Error(`${topic}: ${report.fault}`);
      const before = this.reports.get(report.hostId)?.slots.central ?? null;
      this.reports.set(report.hostId, report);
      const { central } = report.slots;
      if (before !== null && before !== central && report.state === 'rolled_back') {
        const code = report.error?.code ?? '';
        this.left.push({ hostId: report.hostId, sha256: before, code, atMs: performance.now() });
      }
      if (central !== null) this.ran.set(central, (this.ran.get(central) ?? new Set()).add(report.hostId));
    }
    this.#changed();
  }

  /** Resolves once `what` holds of all these hosts; rejects with those of which it does not after a time. */
  async until(
    hostIds: readonly string[],
    what: (report: ReportedDocument) => boolean,
    withinMs: number,
  ): Promise<void> {
    const endMs = performance.now() + withinMs;
    const missing = (): string[] =>
      hostIds.filter((id) => {
        const report = this.reports.get(id);
        return report === undefined || !what(report);
      });
    while (missing().length > 0) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) {
        const [first = ''] = missing();
        throw new Error(
          `${missing().length} hosts are not there yet, ${first}: ${JSON.stringify(this.reports.get(first))}`,
        );
      }
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, leftMs);
        this.#changed = () => {
          clearTimeout(late);
          resolve();
        };
      });
    }
  }

  async close(): Promise<void> {
    await this.#client.endAsync();
  }
}
