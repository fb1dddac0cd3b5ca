import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type IClientOptions, MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import { BrokerDirectory } from '../../models/access/directory.ts';
import type { Enrolled } from '../../models/access/fleet.ts';
import { hashPassword, randomPassword } from '../../models/access/password.ts';
import { type Role, userName } from '../../models/access/roles.ts';
import { installedLines } from './fleet-broker.ts';
import { freePort, type Mosquitto, startMosquitto } from './mosquitto.ts';
import { temporaryDirectory } from './temporary.ts';

/** A real mosquitto with the configuration that `fleet broker` writes; only ports and the place to persist are others. */

export interface AccessBroker {
  readonly mosquitto: Mosquitto;
  /** `fleet broker` has made it. */
  readonly directory: string;
  readonly passwordPort: number;
  readonly certificatePort: number;
  readonly ca: string;
}

/** @param directory with an authority */
export async function startAccessBroker(directory: string): Promise<AccessBroker> {
  const broker = await runAccessBroker(directory);
  onTestFinished(() => broker.mosquitto.stop());
  return broker;
}

/** For who stops it. */
export async function runAccessBroker(directory: string): Promise<AccessBroker> {
  const folder = join(directory, 'mosquitto');
  const certificatePort = await freePort();
  const { configuration, listener } = installedLines(folder, certificatePort);
  const mosquitto = await startMosquitto(['log_type all', ...configuration], {}, listener);
  const ca = join(folder, 'ca.pem');
  return { mosquitto, directory, passwordPort: mosquitto.port, certificatePort, ca };
}

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** A folder of these sites, with an authority; each is enrolled with a password. */
export function enrolledFleet(
  sites: readonly string[],
  identities: readonly (readonly [Role, string, readonly string[] | null])[],
): { readonly path: string; readonly logins: Login[] } {
  const path = temporaryDirectory();
  const directory = BrokerDirectory.create(path, { installedAs: join(path, 'mosquitto'), sites });
  directory.certify(['localhost', '127.0.0.1'], Date.now());
  const logins = identities.map(([role, name, of]) => {
    const one: Enrolled = { role, name, sites: of, method: 'password', generation: 1, former: null };
    const login = { username: userName(one), password: randomPassword() };
    directory.hashes.set(login.username, hashPassword(login.password));
    directory.put(one);
    return login;
  });
  directory.save();
  directory.release();
  return { path, logins };
}

export interface Client {
  readonly client: MqttClient;
  readonly stream: TLSSocket;
}

/** Resolves when the broker has let it in; rejects with its refusal. */
export async function login(
  { passwordPort, ca }: AccessBroker,
  credentials: Login,
  options: IClientOptions = {},
): Promise<Client> {
  const stream = connectTls({ port: passwordPort, host: 'localhost', ca: readFileSync(ca) });
  return entered(stream, { ...credentials, ...options });
}

export async function loginByCertificate(
  { certificatePort, ca }: AccessBroker,
  credentials: { readonly cert: string; readonly key: string },
  options: IClientOptions = {},
): Promise<Client> {
  const stream = connectTls({
    port: certificatePort,
    host: 'localhost',
    ca: readFileSync(ca),
    ...credentials,
  });
  return entered(stream, options);
}

async function entered(stream: TLSSocket, options: IClientOptions): Promise<Client> {
  const client = new MqttClient(() => stream, { protocolVersion: 5, reconnectPeriod: 0, ...options });
  onTestFinished(() => void client.end(true));
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
    client.once('close', () => reject(new Error('closed')));
  });
  client.on('error', () => {});
  return { client, stream };
}

/** @returns null where the broker took it, else its reason code */
export async function publishCode(
  client: MqttClient,
  topic: string,
  payload = 'x',
  qos: 1 | 2 = 1,
): Promise<number | string | null> {
  let closed = (): void => {};
  // mqtt.js leaves a publish unanswered for ever when its connection ends.
  const ended = new Promise<never>((_resolve, reject) => {
    closed = () => reject(new Error('the broker ended the connection'));
    client.once('close', closed);
  });
  try {
    await Promise.race([client.publishAsync(topic, payload, { qos }), ended]);
    return null;
  } catch (error) {
    return (error as { code?: number }).code ?? String(error);
  } finally {
    client.off('close', closed);
  }
}
