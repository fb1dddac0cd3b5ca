import { agentTopics } from '../core/protocol/topics.ts';
import { Acks } from './acks.ts';
import type { HostState } from './host.ts';
import type { HubDependencies } from './hub.ts';

const AFTER_MS = 250;
const AT_ONCE = 256;

/**
 * Acknowledgements on their way out: once numbers are stored, and then with others. One round at a time: what is due
 * meanwhile joins the next, host by host, so that a broker that is slow to answer makes no queue.
 */
export class AcksOut {
  readonly #deps: Pick<HubDependencies, 'broker' | 'log' | 'setTimer'>;
  readonly #hostOf: (key: string) => HostState | undefined;
  readonly #acks = new Acks();
  #round: Promise<void> | null = null;
  #cancel: (() => void) | null = null;
  sent = 0;

  constructor(
    deps: Pick<HubDependencies, 'broker' | 'log' | 'setTimer'>,
    hostOf: (key: string) => HostState | undefined,
  ) {
    this.#deps = deps;
    this.#hostOf = hostOf;
  }

  received(key: string, epoch: string, n: number): void {
    this.#acks.received(key, epoch, n);
  }

  /** All that was received is stored now. */
  stored(): void {
    this.#acks.stored(this.#hostOf);
    if (this.#acks.dueCount >= AT_ONCE) void this.flush();
    else if (this.#acks.dueCount > 0) this.#cancel ??= this.#deps.setTimer(() => void this.flush(), AFTER_MS);
  }

  flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = null;
    this.#round ??= this.#send().finally(() => {
      this.#round = null;
    });
    return this.#round;
  }

  async #send(): Promise<void> {
    let failure: string | null = null;
    let failed = 0;
    while (this.#acks.dueCount > 0 && failure === null) {
      const sent = this.#acks.take().map(async ({ key, document }) => {
        const { site, hostId } = this.#hostOf(key) as HostState;
        try {
          await this.#deps.broker.publish(agentTopics(site, hostId).ack, JSON.stringify(document));
          this.sent += document.ranges.length;
        } catch (error) {
          failed++;
          failure = (error as Error).message;
        }
      });
      await Promise.all(sent);
    }
    // The agents send again, and are answered then.
    if (failure !== null)
      this.#deps.log('warning', 'hub.ackFailed', { acknowledgements: failed, error: failure });
  }
}
