import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { connectAsync, type MqttClient } from 'mqtt';
import { incidentMessage, SITE, telemetry } from '../../hub/messages.ts';
import { runExecutable } from '../../support/executable.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { usageOf } from '../../support/usage.ts';
import { round, until } from './processes.ts';

/** What a hub pays: telemetry, events, hosts. */

const SENDERS = 50;
const TELEMETRY_EACH = 5;
const SENDING_MS = 10;

export interface HubCosts {
  readonly hosts: number;
  readonly events: number;
  readonly eventBytes: number;
  readonly telemetryBytes: number;
  readonly telemetryCpuUs: number;
  readonly eventCpuUs: number;
  readonly pssBytesAHost: number;
  readonly pssMb: number;
  /** The database with its indexes, events only; at rest, write-ahead log not counted. */
  readonly databaseBytesAnEvent: number;
}

/** @param sizes payloads, in bytes */
export async function measureHub(
  hosts: number,
  events: number,
  sizes: { readonly telemetry: number; readonly event: number },
): Promise<HubCosts> {
  const mosquitto = await startMosquitto(['allow_anonymous true', 'max_queued_messages 0']);
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-scale-hub-'));
  const url = `mqtt://127.0.0.1:${mosquitto.port}`;
  const hub = runExecutable(['hub', '--broker', url, '--site', SITE, '--state-dir', directory]);
  await hub.logged('hub.listening');
  const pid = hub.child.pid as number;
  const senders = await Promise.all(
    Array.from({ length: SENDERS }, () => connectAsync(url, { protocolVersion: 5 })),
  );
  const send = async (
    count: number,
    one: (i: number, sender: MqttClient) => Promise<unknown>,
  ): Promise<void> => {
    for (let at = 0; at < count; at += SENDERS) {
      await Promise.all(
        senders.slice(0, Math.min(SENDERS, count - at)).map((sender, i) => one(at + i, sender)),
      );
      await sleep(SENDING_MS);
    }
  };
  const file = join(directory, 'hub.db');
  const stored = (): number => {
    const database = new Database(file, { readonly: true });
    try {
      return database.prepare<[], number>('SELECT count(*) FROM events').pluck().get() as number;
    } finally {
      database.close();
    }
  };
  const quiet = async (): Promise<void> => {
    let last = -1;
    await until(() => {
      const now = usageOf(pid).cpuSeconds;
      const still = now - last < 0.02;
      last = now;
      return still;
    }, 'a quiet hub');
    // Its own looking over all hosts comes every five seconds.
    await sleep(1000);
  };
  try {
    const before = usageOf(pid);
    const report = (i: number) => {
      const { topic, payload } = telemetry(`host-${i % hosts}`);
      return { topic, payload: padded(payload, sizes.telemetry) };
    };
    await send(hosts, (i, sender) => {
      const { topic, payload } = report(i);
      return sender.publishAsync(topic, payload, { qos: 0 });
    });
    await quiet();
    const known = usageOf(pid);
    await send(TELEMETRY_EACH * hosts, (i, sender) => {
      const { topic, payload } = report(i);
      return sender.publishAsync(topic, payload, { qos: 0 });
    });
    await quiet();
    const told = usageOf(pid);
    const size = (): number => statSync(file).size;
    checkpoint(file);
    const emptyBytes = size();
    const eventsFrom = usageOf(pid);
    await send(events, (i, sender) => {
      const host = `host-${i % hosts}`;
      const words = { feature: `cpu ${host}`, timeMs: Date.now() };
      const { topic, payload } = incidentMessage(host, Math.floor(i / hosts) + 1, words);
      return sender.publishAsync(topic, padded(payload, sizes.event), { qos: 1 });
    });
    await until(() => stored() === events, 'every event stored');
    await quiet();
    const after = usageOf(pid);
    checkpoint(file);
    return {
      hosts,
      events,
      eventBytes: sizes.event,
      telemetryBytes: sizes.telemetry,
      telemetryCpuUs: round((1e6 * (told.cpuSeconds - known.cpuSeconds)) / (TELEMETRY_EACH * hosts)),
      eventCpuUs: round((1e6 * (after.cpuSeconds - eventsFrom.cpuSeconds)) / events),
      pssBytesAHost: Math.round(((told.pssMb - before.pssMb) * 2 ** 20) / hosts),
      pssMb: round(after.pssMb),
      databaseBytesAnEvent: Math.round((size() - emptyBytes) / events),
    };
  } finally {
    await Promise.all(senders.map((sender) => sender.endAsync(true)));
    hub.child.kill('SIGTERM');
    await hub.ended;
    await mosquitto.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What is in the write-ahead log goes into the file whose size is asked for. */
function checkpoint(file: string): void {
  const database = new Database(file);
  try {
    database.pragma('wal_checkpoint(PASSIVE)');
  } finally {
    database.close();
  }
}

/** The document with more in it, so that it is as large as a real one. */
function padded(payload: Uint8Array, bytes: number): Buffer {
  const text = Buffer.from(payload).toString();
  const padding = 'x'.repeat(Math.max(0, bytes - text.length - ',"pad":""'.length));
  return Buffer.from(
    text.includes('"sentence":"x"')
      ? text.replace('"sentence":"x"', `"sentence":"x${padding}"`)
      : `${text.slice(0, -1)},"pad":"${padding}"}`,
  );
}
