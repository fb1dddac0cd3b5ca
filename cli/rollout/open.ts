import { printable } from '../../agent/log.ts';
import { openDatabase } from '../../agent/native.ts';
import { RolloutStore, type StoredRollout } from '../../models/rollout/store.ts';
import { BrokerClient } from '../broker/client.ts';
import { type BrokerOptions, brokerConfig } from '../broker/options.ts';
import { UserError } from '../errors.ts';
import { closing, registryActor, registryDirectory } from '../registry.ts';
import { readDocumentFile } from '../trust/envelope-file.ts';
import { readRoot } from '../trust/root-file.ts';
import { signingKeys } from '../trust/signing-keys.ts';
import type { Desk } from './desk.ts';
import { FleetReader } from './fleet.ts';

export interface DeskOptions extends BrokerOptions {
  readonly registry?: string | undefined;
  readonly root: string;
  readonly key?: readonly string[] | undefined;
  readonly 'passphrase-file'?: string | undefined;
}

export const withStore = <T>(
  flag: string | undefined,
  create: boolean,
  work: (store: RolloutStore) => T,
): T => closing(openStore(flag, create), work);

const openStore = (flag: string | undefined, create: boolean): RolloutStore =>
  RolloutStore.open(registryDirectory(flag), {
    create,
    nowMs: Date.now,
    actor: registryActor(),
    openDatabase: (path) => openDatabase(path),
  });

/** Connected to the broker for as long as the work takes. @throws UserError, BrokerError */
export async function withBroker<T>(
  options: BrokerOptions,
  work: (broker: BrokerClient, reader: FleetReader) => Promise<T>,
): Promise<T> {
  const reader = new FleetReader();
  const broker = await BrokerClient.connect(brokerConfig(options), {
    purpose: 'rollout',
    messages: reader.take,
  });
  try {
    return await work(broker, reader);
  } finally {
    await broker.close();
  }
}

/**
 * Store, keys and broker. Keys are looked at first, dry runs included: a wrong one is told before anything is asked of anybody,
 * and not when a document is due in a day.
 * @param role whose keys sign: those of renewals will do for them
 */
export async function withDesk<T>(
  options: DeskOptions,
  { create, role = 'rollout' }: { readonly create: boolean; readonly role?: 'rollout' | 'renewal' },
  work: (desk: Desk, reader: FleetReader) => Promise<T>,
): Promise<T> {
  const bytes = readDocumentFile(options.root);
  const root = { ...readRoot(options.root), bytes };
  const keys = signingKeys(options, root.document, role, 'rollout');
  return withStore(options.registry, create, (store) =>
    withBroker(options, (broker, reader) => work({ store, broker, root, keys, nowMs: Date.now }, reader)),
  );
}

/** The rollout that is meant: of the named model, or of the only one. @throws UserError */
export function chosenRollout(store: RolloutStore, model: string | undefined): StoredRollout {
  const models = store.models();
  const name = model ?? (models.length === 1 ? models[0] : undefined);
  if (name === undefined) {
    throw new UserError(
      models.length === 0
        ? 'there is no rollout here yet: edgewood rollout start RELEASE'
        : `which model? There are rollouts of ${models.map(printable).join(', ')}`,
    );
  }
  const rollout = store.current(name);
  if (rollout !== null) return rollout;
  const others = models.length === 0 ? 'of none' : `of ${models.map(printable).join(', ')}`;
  throw new UserError(`there is no rollout of ${printable(name)}; there are rollouts ${others}`);
}
