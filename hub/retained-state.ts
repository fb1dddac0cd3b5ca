import { agentTopics } from '../core/protocol/topics.ts';
import type { Message } from './broker.ts';
import type { HostState } from './host.ts';
import type { HubDependencies } from './hub.ts';

/** Those that turn up together are read together. */
const TOGETHER_MS = 250;

/** Reads what is retained of hosts that are new, or of all after a connection: by exact topics, so that nothing is cut. */
export class RetainedState {
  readonly #deps: Pick<HubDependencies, 'reader' | 'log' | 'setTimer'>;
  readonly #receive: (message: Message) => void;
  #unread = new Set<string>();
  #reading = false;
  #stopped = false;

  constructor(
    deps: Pick<HubDependencies, 'reader' | 'log' | 'setTimer'>,
    receive: (message: Message) => void,
  ) {
    this.#deps = deps;
    this.#receive = receive;
  }

  want(hosts: Iterable<Pick<HostState, 'site' | 'hostId'>>): void {
    for (const { site, hostId } of hosts) {
      const { status, reported } = agentTopics(site, hostId);
      this.#unread.add(status).add(reported);
    }
    void this.read();
  }

  /** Tries again what could not be read before. */
  async read(): Promise<void> {
    if (this.#reading || this.#unread.size === 0) return;
    this.#reading = true;
    await new Promise<void>((resolve) => this.#deps.setTimer(resolve, TOGETHER_MS));
    const topics = [...this.#unread];
    this.#unread = new Set();
    try {
      if (this.#stopped) return;
      const { found, refused } = await this.#deps.reader.readRetained(topics);
      for (const [topic, payload] of found) this.#receive({ topic, payload, retained: true });
      if (refused.length > 0) this.#deps.log('warning', 'hub.unread', { refused: refused.length });
    } catch (error) {
      if (this.#stopped) return;
      this.#deps.log('warning', 'hub.unread', { error: (error as Error).message });
      for (const topic of topics) this.#unread.add(topic);
    } finally {
      this.#reading = false;
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}
