import type { SinkConfig } from '../config/config.ts';
import type { Log } from '../log.ts';
import type { Sink } from './sink.ts';

/** Who delivers: part of topics, wills and envelopes. */
export interface SinkIdentity {
  readonly hostId: string;
  readonly bootId: string;
  readonly site: string;
  readonly version: string;
  readonly schemaHash: string;
}

/** Makes a configured sink. What it needs is loaded only then. */
export async function createSink(config: SinkConfig, identity: SinkIdentity, _log: Log): Promise<Sink> {
  if (config.type === 'mqtt') return new (await import('./mqtt-first.ts')).FirstMqttSink(config, identity);
  let lastError: string | null = null;
  let ready = true;
  return {
    name: config.name, kind: config.type,
    start(onReady) { onReady(); },
    connected: () => ready,
    deliver: async (events) => events.map((e) => { process.stdout.write(`${JSON.stringify({ ...e, data: JSON.parse(e.data) })}\n`); return { outcome: 'delivered' as const }; }),
    telemetry() {},
    status: () => ({ name: config.name, kind: config.type, connected: ready, target: 'stdout', lastError, connects: 1, counters: {} }),
    async close() { ready = false; lastError = null; },
  };
}
