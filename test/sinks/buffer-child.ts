import { PassThrough } from 'node:stream';
import mqttPacket from 'mqtt-packet';
import { useSmallHeap } from '../../cli/runtime.ts';

/** Writes packets of many lengths among other small Buffers, as an agent does for hours; tells what stays, in bytes. */
const LENGTHS = 400;

if (process.argv[2] === 'small') useSmallHeap();
const { gc } = globalThis as unknown as { gc: () => void };
const sink = new PassThrough().resume();
/** What is swept is swept beside: on a busy machine one collection does not see it gone. */
async function held(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
    least = Math.min(least, process.memoryUsage().arrayBuffers);
  }
  return least;
}
mqttPacket.generate({ cmd: 'pingreq' });
const before = await held();
for (let length = 0; length < LENGTHS; length++) {
  mqttPacket.writeToStream(
    { cmd: 'publish', topic: 't', payload: 'x'.repeat(length), qos: 0, dup: false, retain: false },
    sink,
  );
  // What else goes through the pool between two packets.
  for (let i = 0; i < 3; i++) Buffer.from('y'.repeat(30_000));
}
process.stdout.write(String((await held()) - before));
