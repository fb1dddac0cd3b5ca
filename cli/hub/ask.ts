import { agentTopics } from '../../core/protocol/topics.ts';
import type { CommandName } from '../../core/protocol/trust.ts';
import type { Broker, Message } from '../../hub/broker.ts';
import { type CommandAddress, type CommandSender, Reply } from '../../hub/commands.ts';
import { BrokerError } from '../broker/errors.ts';

/** What became of a command that was not carried out. */
export class CommandFault extends Error {
  override readonly name = 'CommandFault';
  /** `silent`: no answer, or not all of it. `failed`: the host, or the broker, says no. */
  readonly kind: 'silent' | 'failed';

  constructor(kind: 'silent' | 'failed', message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface Question extends CommandAddress {
  readonly name: CommandName;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Without a new part for so long, nothing more is waited for. */
  readonly timeoutMs: number;
  /** Of the whole answer. */
  readonly maxBytes: number;
}

/** Who waits for what: each answer is heard on its own topic, of its host and its command, and nothing else is. */
export class Answers {
  readonly #listeners = new Map<string, (payload: Uint8Array) => void>();

  readonly take = ({ topic, payload, retained }: Message): void => {
    // An answer is of now; what somebody left lying there is none.
    if (!retained) this.#listeners.get(topic)?.(payload);
  };

  /**
   * Sends a command to one host and puts its answer together.
   * @returns the result of each part, of whatever shape the host gave it
   * @throws CommandFault, BrokerError, TrustError
   */
  async ask(broker: Broker, sender: CommandSender, question: Question): Promise<readonly unknown[]> {
    const { site, hostId, commandId, name, timeoutMs, maxBytes } = question;
    const address = { site, hostId, commandId };
    const topic = agentTopics(site, hostId).reply(commandId);
    const reply = new Reply(address, maxBytes);
    const done = Promise.withResolvers<readonly unknown[]>();
    // It may be settled before anybody waits for it.
    done.promise.catch(() => {});
    let came = 'no answer';
    let timer: NodeJS.Timeout | undefined;
    const wait = (): void => {
      clearTimeout(timer);
      const late = (): void =>
        done.reject(new CommandFault('silent', `${came} within ${timeoutMs / 1000} s`));
      timer = setTimeout(late, timeoutMs);
    };
    this.#listeners.set(topic, (payload) => {
      const progress = reply.take(payload);
      if (progress.kind === 'complete') done.resolve(progress.results);
      if (progress.kind === 'failed')
        done.reject(new CommandFault('failed', `${progress.code}: ${progress.message}`));
      if (progress.kind !== 'waiting') return;
      came = `${progress.came} of ${progress.parts} parts, and no more`;
      if (progress.isNew) wait();
    });
    try {
      await allowed(async () => {
        const [answer] = await broker.subscribe([topic], { retained: false });
        if (answer?.granted !== true)
          throw new CommandFault('failed', 'the broker does not let this user hear the answer');
        await sender.send(address, name, question.arguments);
      });
      wait();
      return await done.promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(topic);
      await broker.unsubscribe([topic]).catch(() => {});
    }
  }
}

/** What the broker refuses of one host is no reason not to ask the others. */
async function allowed(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof BrokerError && error.code !== undefined)
      throw new CommandFault('failed', error.message);
    throw error;
  }
}
