import { PassThrough } from 'node:stream';
import mqttPacket from 'mqtt-packet';
import { useSmallHeap } from '../../cli/runtime.ts';

/** Writes packets of many lengths among other small Buffers, as an agent does for hours; tells what stays, in bytes. */
const LENGTHS = 400;

if (process.argv[2] === 'small') useSmallHeap();
const { gc } = globalThis as unknown as { gc: () => void };
const sink = new PassThrough().resume();
const held = (): number => {
  gc();
  return process.memoryUsage().arrayBuffers;
};
mqttPacket.generate({ cmd: 'pingreq' });
const before = held();
for (let length = 0; length < LENGTHS; length++) {
  mqttPacket.writeToStream(
    { cmd: 'publish', topic: 't', payload: 'x'.repeat(length), qos: 0, dup: false, retain: false },
    sink,
  );
  // What else goes through the pool between two packets.
  for (let i = 0; i < 3; i++) Buffer.from('y'.repeat(30_000));
}
process.stdout.write(String(held() - before));
