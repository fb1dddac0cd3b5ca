/**
 * How fast a hub stores and acknowledges, and what a stock broker drops on the way. Starts a mosquitto as it is
 * installed and a hub, sends `EVENTS` events of `HOSTS` hosts as fast as the broker takes them, and sends again after
 * 20 seconds what was not acknowledged: `node build/run.mjs test/benchmarks/hub-load.ts [hosts] [events] [unbounded]`
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { parseAcknowledgement } from '../../core/protocol/acknowledgement.ts';
import { incidentMessage, SITE } from '../hub/messages.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { startMosquitto } from '../support/mosquitto.ts';

const HOSTS = Number(process.argv[2] ?? 1000);
const EVENTS = Number(process.argv[3] ?? 20_000);
/** `unbounded`: a broker that drops nothing it can't send at once (max_queued_messages 0). */
const UNBOUNDED = process.argv[4] === 'unbounded';
const AGAIN_MS = 20_000;
const SENDERS = 200;
const PADDING = 'x'.repeat(3000);
const LOOK_MS = 250;

const mosquitto = await startMosquitto(
  UNBOUNDED ? ['allow_anonymous true', 'max_queued_messages 0'] : undefined,
);
const directory = mkdtempSync(join(tmpdir(), 'edgewood-hub-load-'));
const broker = `mqtt://127.0.0.1:${mosquitto.port}`;
const hub = spawn(EXECUTABLE, ['hub', '--broker', broker, '--site', SITE, '--state-dir', directory], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
await new Promise<void>((resolve) =>
  hub.stderr.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('hub.listening')) resolve();
  }),
);

/** Proportional set size, as it stands and at its highest. */
const pssMb = (): number =>
  Number(/Pss:\s+(\d+)/.exec(readFileSync(`/proc/${hub.pid}/smaps_rollup`, 'utf8'))?.[1]) / 1000;
const idlePssMb = pssMb();
let peakPssMb = idlePssMb;
const looking = setInterval(() => {
  peakPssMb = Math.max(peakPssMb, pssMb());
}, LOOK_MS);

const client = await connectAsync(broker, { protocolVersion: 5 });
const waiting = new Map<string, number>();
let acks = 0;
client.on('message', (topic, payload) => {
  acks++;
  const host = topic.split('/')[4] as string;
  const { ranges } = parseAcknowledgement(JSON.parse(payload.toString()) as Record<string, unknown>) ?? {
    ranges: [],
  };
  for (const [from, to] of ranges) for (let n = from; n <= to; n++) waiting.delete(`${host} ${n}`);
});
await client.subscribeAsync(`edgewood/1/${SITE}/a/+/ack`, { qos: 1 });

let sent = 0;
let bytes = 0;
/** Many connections, as many agents have: one may have 20 publishes under way at a stock Mosquitto. */
const senders = await Promise.all(
  Array.from({ length: SENDERS }, () => connectAsync(broker, { protocolVersion: 5 })),
);
const send = async (key: string, sender = senders[0] as MqttClient): Promise<void> => {
  const [host = '', n] = key.split(' ');
  waiting.set(key, performance.now());
  const event = incidentMessage(host, Number(n), { feature: `cpu${host}`, timeMs: Date.now() });
  const text = Buffer.from(event.payload).toString().replace('"sentence":"x"', `"sentence":"${PADDING}"`);
  sent++;
  bytes += text.length;
  await sender.publishAsync(event.topic, text, { qos: 1 });
};

const beganMs = performance.now();
await Promise.all(
  senders.map(async (sender, first) => {
    for (let i = first; i < EVENTS; i += SENDERS)
      await send(`host-${i % HOSTS} ${Math.floor(i / HOSTS) + 1}`, sender);
  }),
);
const sentMs = performance.now() - beganMs;
while (waiting.size > 0) {
  const late = [...waiting].filter(([, atMs]) => performance.now() - atMs > AGAIN_MS).slice(0, 256);
  await Promise.all(late.map(([key], i) => send(key, senders[i % SENDERS])));
  await new Promise((resolve) => setTimeout(resolve, 20));
}
const tookMs = performance.now() - beganMs;
clearInterval(looking);
const cpu = readFileSync(`/proc/${hub.pid}/stat`, 'utf8').split(' ');
console.log(
  JSON.stringify({
    hosts: HOSTS,
    unbounded: UNBOUNDED,
    events: EVENTS,
    bytesAnEvent: Math.round(bytes / sent),
    sentAgain: sent - EVENTS,
    acknowledgements: acks,
    sentSeconds: Number((sentMs / 1000).toFixed(2)),
    acknowledgedSeconds: Number((tookMs / 1000).toFixed(2)),
    eventsASecond: Math.round(EVENTS / (tookMs / 1000)),
    hubCpuSeconds: (Number(cpu[13]) + Number(cpu[14])) / 100,
    hubPssMb: { idle: idlePssMb, peak: peakPssMb, end: pssMb() },
  }),
);
await Promise.all([client, ...senders].map((one) => one.endAsync(true)));
hub.kill('SIGTERM');
await new Promise((resolve) => hub.once('exit', resolve));
await mosquitto.stop();
rmSync(directory, { recursive: true, force: true });
