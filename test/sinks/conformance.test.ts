import { Writable } from 'node:stream';
import { MqttSink } from '../../agent/sinks/mqtt/mqtt-sink.ts';
import { StdoutSink } from '../../agent/sinks/stdout.ts';
import { type SinkFixture, sinkConformance } from '../conformance/sink.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { IDENTITY } from '../support/sinks.ts';
import { broker, NOW_MS, onCleanup, proxy, queue, subscribe, url } from './harness.ts';

async function mqttFixture(protocolVersion: 4 | 5): Promise<SinkFixture> {
  const mosquitto = await broker();
  const network = await proxy(mosquitto.port);
  const events = await subscribe(mosquitto.port, 'edgewood/1/lab/a/host-1/+/+');
  await events.client.subscribeAsync('edgewood/1/lab/a/host-1/event', { qos: 1 });
  const sink = new MqttSink(
    { type: 'mqtt', name: 'mqtt', url: url(network.port), protocolVersion },
    IDENTITY,
    {
      nowMs: () => NOW_MS,
      random: () => 0.02,
      setTimer: (callback, ms) => {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
      log: () => {},
    },
  );
  onCleanup(() => sink.close(500));
  return {
    sink,
    next: async () => JSON.parse((await events.next()).text) as { id: string },
    stall: network.stall,
    lose: network.cut,
    recovers: true,
  };
}

async function stdoutFixture(): Promise<SinkFixture> {
  const lines = queue<{ id: string }>();
  let stalled = false;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      if (stalled) return;
      for (const line of chunk.toString().trimEnd().split('\n'))
        lines.put(JSON.parse(line) as { id: string });
      setImmediate(callback);
    },
  });
  return {
    sink: new StdoutSink('stdout', IDENTITY, stream, () => NOW_MS),
    next: lines.next,
    stall: () => {
      stalled = true;
    },
    lose: () => void stream.destroy(),
    recovers: false,
  };
}

sinkConformance('MQTT 5 over a real mosquitto', () => mqttFixture(5), !hasMosquitto);
sinkConformance('MQTT 3.1.1 over a real mosquitto', () => mqttFixture(4), !hasMosquitto);
sinkConformance('stdout', stdoutFixture);
