import { connect as connectTcp, createServer } from 'node:net';
import { Aedes } from 'aedes';
import mqtt from 'mqtt';
import type { AlertData } from '../../core/protocol/events.ts';

/** The embedded broker of `demo` (MQTT 3.1.1, loopback only). */
export async function startBroker(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: async () => {
      await new Promise<void>((resolve) => broker.close(resolve));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A subscriber as anybody would write one. */
export async function subscribeAlerts(
  port: number,
  onAlert: (alert: AlertData) => void,
): Promise<{ close(): Promise<void> }> {
  const client = new mqtt.MqttClient(() => connectTcp(port, '127.0.0.1'), {
    clientId: 'demo-subscriber',
    protocolVersion: 4,
    reconnectPeriod: 0,
  });
  client.on('message', (_topic, payload) => {
    onAlert((JSON.parse(payload.toString()) as { data: AlertData }).data);
  });
  await new Promise<void>((resolve, reject) => {
    client.once('error', reject);
    client.once('connect', () => resolve());
  });
  await client.subscribeAsync('edgewood/1/demo/a/+/alert/+', { qos: 1 });
  return { close: async () => void (await client.endAsync()) };
}
