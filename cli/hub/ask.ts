import { agentTopics } from '../../core/protocol/topics.ts';
import type { Broker } from '../../hub/broker.ts';
import { type CommandAddress, type CommandSender, Reply } from '../../hub/commands.ts';
import { type Samples, samplesOf } from '../../hub/samples.ts';

export interface Question extends CommandAddress {
  readonly args?: Readonly<Record<string, unknown>>;
  /** Without a new part for so long, nothing more is waited for. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Sends `send-samples` to one host and puts its answer together. @returns the samples, or why there are none */
export async function ask(
  broker: Broker,
  sender: CommandSender,
  listeners: Map<string, (payload: Uint8Array) => void>,
  question: Question,
): Promise<Samples | { readonly fault: string }> {
  const { site, hostId, commandId, timeoutMs, maxBytes } = question;
  const topic = agentTopics(site, hostId).reply(commandId);
  const reply = new Reply({ site, hostId, commandId }, maxBytes);
  const done = Promise.withResolvers<readonly unknown[] | { readonly fault: string }>();
  let came = 'no answer';
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => done.resolve({ fault: `${came} within ${timeoutMs / 1000} s` }), timeoutMs);
  };
  listeners.set(topic, (payload) => {
    const progress = reply.take(payload);
    if (progress.kind === 'complete') done.resolve(progress.results);
    if (progress.kind === 'failed') done.resolve({ fault: `${progress.code}: ${progress.message}` });
    if (progress.kind !== 'waiting') return;
    came = `${progress.came} of ${progress.parts} parts, and no more`;
    wait();
  });
  try {
    const [answer] = await broker.subscribe([topic], { retained: false });
    if (answer?.granted !== true) return { fault: 'the broker does not let this user hear the answer' };
    await sender.send({ site, hostId, commandId }, 'send-samples', question.args ?? {});
    wait();
    const results = await done.promise;
    return 'fault' in results ? results : samplesOf(results);
  } finally {
    clearTimeout(timer);
    listeners.delete(topic);
    await broker.unsubscribe([topic]).catch(() => {});
  }
}
