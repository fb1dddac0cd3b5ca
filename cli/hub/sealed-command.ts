import { agentTopics, topicLevelFault } from '../../core/protocol/topics.ts';
import type { Broker } from '../../hub/broker.ts';
import type { CommandAddress, CommandSender } from '../../hub/commands.ts';
import { UserError } from '../errors.ts';

/** A command that was signed elsewhere: a DSSE envelope in a file. The host decides whether it believes it. */
export interface SealedCommand extends CommandAddress {
  readonly path: string;
  readonly name: string;
  readonly envelope: Uint8Array;
}

const COMMAND_EXPIRY_SECONDS = 3600;

/** Reads whom it is for; what it is signed with is the host's to judge. @throws UserError */
export function sealedCommand(path: string, envelope: Uint8Array): SealedCommand {
  const { site, hostId, commandId, name } = payloadOf(path, envelope);
  for (const [key, value] of Object.entries({ site, hostId, commandId, name })) {
    const fault = typeof value === 'string' ? topicLevelFault(value) : 'a text expected';
    if (fault !== null) throw new UserError(`${path}: ${key}: ${fault}`);
  }
  return { path, site, hostId, commandId, name, envelope } as SealedCommand;
}

function payloadOf(path: string, envelope: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const { payload } = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(envelope)) as {
      payload: string;
    };
    const document: unknown = JSON.parse(Buffer.from(payload, 'base64').toString('utf8'));
    if (typeof document === 'object' && document !== null)
      return document as Readonly<Record<string, unknown>>;
  } catch {
    // Said below.
  }
  throw new UserError(`${path}: is no signed command (a DSSE envelope as JSON)`);
}

/** Sends what was signed. */
export class SealedSender {
  readonly #commands: readonly SealedCommand[];

  constructor(commands: readonly SealedCommand[]) {
    this.#commands = commands;
  }

  over(broker: Broker): CommandSender {
    return {
      send: async ({ site, hostId, commandId }, name) => {
        const sealed = this.#commands.find(
          (one) => one.site === site && one.hostId === hostId && one.commandId === commandId,
        );
        if (sealed === undefined) throw new Error(`no signed command ${commandId} for ${site}/${hostId}`);
        await broker.publish(agentTopics(site, hostId).command(name), sealed.envelope, {
          expirySeconds: COMMAND_EXPIRY_SECONDS,
        });
      },
    };
  }
}
