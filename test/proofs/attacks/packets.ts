import { startMosquitto } from '../../support/mosquitto.ts';
import { type Attack, type Struck, strike, told } from './attack.ts';
import type { SceneResult } from './open.ts';
import { GATE, openWay, Scene } from './scene.ts';

/** MQTT 3.1.1: the broker can't be told what is too large, so the agent has to see it at a packet's header. */
export async function packets(hugeBytes: number): Promise<SceneResult> {
  const mosquitto = await startMosquitto(['allow_anonymous true', 'message_size_limit 0']);
  const scene = new Scene(openWay(mosquitto.port, ', protocolVersion: 4'));
  try {
    await scene.begin(600);
    const attacks = await attackAll(scene, hugeBytes);
    const peakMb = scene.peakMb();
    const logBytes = scene.run.stderr().length;
    const refusedInReported = scene.reported?.refused ?? {};
    return { attacks, peakMb, logBytes, refusedInReported, alerts: await scene.account() };
  } finally {
    await scene.end();
    await mosquitto.stop();
  }
}

async function attackAll(scene: Scene, hugeBytes: number): Promise<Struck[]> {
  const { fleet, topics } = scene;
  await scene.trustTwo();
  const one = fleet.releaseOf(scene.model, 1);
  await scene.publishRelease(one);
  await scene.publishRollout(fleet.rollout(1, one, { gate: GATE }));
  await scene.until('release 1', ({ central }) => central?.running?.sha256 === one.document.artifact.sha256);
  const oversized = (name: string, topic: string, bytes: number): Attack => ({
    name,
    act: async (attacked) => {
      await attacked.publish({ topic, payload: Buffer.alloc(bytes, 1) });
      await attacked.until(
        'it is back',
        ({ sinks }) => (sinks[0]?.counters['oversizedPackets'] ?? 0) > 0 && sinks[0]?.connected === true,
      );
    },
    counted: { 'sink.oversizedPackets': 1, 'sink.connectionsLost': 1 },
    beside: ['sink.telemetryDropped', 'sink.connectFailures'],
  });
  const struck = await strike(scene, 'MQTT 3.1.1', [
    oversized(
      `a packet of ${Math.round(hugeBytes / 1e6)} MB on the rollout's topic`,
      topics.rollout('host'),
      hugeBytes,
    ),
  ]);
  const { holds } = await scene.snapshot();
  const before = scene.heard.size;
  await scene.publish({ topic: topics.rollout('host'), payload: Buffer.alloc(300 * 1024, 1), retain: true });
  await scene.run.logged('mqtt.notListening');
  // Events go out, over a connection that listens to nothing.
  await scene.until('three more events', () => scene.heard.size >= before + 3);
  const after = await scene.snapshot();
  const unchanged = JSON.stringify(after.holds) === JSON.stringify(holds);
  const { 'sink.oversizedPackets': packets = 0, 'sink.connectionsLost': lost = 0 } = after.counts;
  const retained: Struck = {
    group: 'MQTT 3.1.1',
    name: 'a packet of 300 KiB, retained, which comes at each subscription',
    messages: 1,
    counted: { 'sink.oversizedPackets': packets - 1, 'sink.connectionsLost': lost - 1 },
    unchanged,
    passed: unchanged && packets >= 3,
    note: 'after the third the agent listens to nothing for five minutes; events went out meanwhile',
  };
  told(retained);
  return [...struck, retained];
}
