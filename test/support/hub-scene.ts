import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach } from 'vitest';
import { SITE } from '../hub/messages.ts';
import { type Run, runExecutable } from './executable.ts';
import { type Mosquitto, startMosquitto } from './mosquitto.ts';

/** The packaged executable as hub and command line, over a real mosquitto. */

export const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Scene {
  readonly mosquitto: Mosquitto;
  readonly directory: string;
  readonly broker: string;
  hub(...flags: string[]): Run;
  start(...args: string[]): Run;
  run(...args: string[]): Promise<{ code: number | string; out: string }>;
  client(): Promise<MqttClient>;
}

export async function scene(configuration?: readonly string[]): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-hub-e2e-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const mosquitto = await startMosquitto(configuration);
  cleanups.push(() => mosquitto.stop());
  const broker = `mqtt://127.0.0.1:${mosquitto.port}`;
  const env = {
    HOME: directory,
    EDGEWOOD_HUB_STATE_DIR: join(directory, 'hub'),
    EDGEWOOD_BROKER: broker,
    EDGEWOOD_SITE: SITE,
  };
  const started = (args: readonly string[]): Run => {
    const run = runExecutable(args, env);
    cleanups.push(async () => {
      run.child.kill('SIGKILL');
      await run.ended;
    });
    return run;
  };
  return {
    mosquitto,
    directory,
    broker,
    hub: (...flags) => started(['hub', '--log-format', 'json', ...flags]),
    start: (...args) => started(args),
    run: async (...args) => {
      const run = started(args);
      const code = await run.ended;
      return { code, out: run.stdout() + run.stderr() };
    },
    client: async () => {
      const client = await connectAsync(broker, { protocolVersion: 5 });
      cleanups.push(() => client.endAsync(true));
      return client;
    },
  };
}

/** Looks again, a few times a second, until it holds. */
export async function until<T>(look: () => Promise<T | false> | T | false): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Messages on a filter, as they come. */
export async function inbox(
  client: MqttClient,
  filter: string,
): Promise<() => Promise<{ topic: string; document: Record<string, unknown> }>> {
  const queue: { topic: string; document: Record<string, unknown> }[] = [];
  client.on('message', (topic, payload) => {
    queue.push({ topic, document: JSON.parse(payload.toString()) as Record<string, unknown> });
  });
  await client.subscribeAsync(filter, { qos: 1 });
  return () => until(() => queue.shift() ?? false);
}

export const send = (
  client: MqttClient,
  message: { topic: string; payload: Uint8Array },
  retain = false,
): Promise<unknown> => client.publishAsync(message.topic, Buffer.from(message.payload), { qos: 1, retain });
