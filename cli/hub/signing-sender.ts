import type { KeyObject } from 'node:crypto';
import { agentTopics } from '../../core/protocol/topics.ts';
import { type CommandDocument, type CommandName, MAX_COMMAND_MS } from '../../core/protocol/trust.ts';
import type { Broker } from '../../hub/broker.ts';
import type { CommandAddress, CommandSender } from '../../hub/commands.ts';
import { addSignature, envelopeText, seal } from '../../models/trust/envelope.ts';
import type { TrustedRoot } from '../../models/trust/root.ts';
import { Trust } from '../../models/trust/trust.ts';

export interface Signing {
  readonly root: TrustedRoot & { readonly bytes: Uint8Array };
  readonly keys: readonly KeyObject[];
  /** How long a command may wait for its host: at most MAX_COMMAND_MS. */
  readonly lifeMs: number;
  readonly nowMs: () => number;
}

/** Makes commands, signs them, and sends them to their hosts. */
export class SigningSender implements CommandSender {
  readonly #broker: Broker;
  readonly #signing: Signing;

  constructor(broker: Broker, signing: Signing) {
    this.#broker = broker;
    this.#signing = signing;
  }

  /** @throws TrustError for what no host that trusts this root would carry out, BrokerError */
  async send(to: CommandAddress, name: CommandName, args: Readonly<Record<string, unknown>>): Promise<void> {
    const { root, keys, nowMs } = this.#signing;
    const issuedMs = nowMs();
    const lifeMs = Math.min(this.#signing.lifeMs, MAX_COMMAND_MS);
    const document: CommandDocument = {
      type: 'command',
      schemaVersion: 1,
      fleet: root.document.fleet,
      issuedAt: new Date(issuedMs).toISOString(),
      expiresAt: new Date(issuedMs + lifeMs).toISOString(),
      ...to,
      name,
      arguments: args,
    };
    const envelope = Buffer.from(envelopeText(keys.reduce(addSignature, seal(document))));
    // As the host will: what it would turn away is not sent.
    new Trust(root.bytes, root.sha256).acceptCommand(envelope, { ...to, name }, issuedMs);
    await this.#broker.publish(agentTopics(to.site, to.hostId).command(name), envelope, {
      expirySeconds: Math.ceil(lifeMs / 1000),
    });
  }
}
