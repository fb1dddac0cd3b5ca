import { connect, createServer } from 'node:net';
import { Exit } from '../errors.ts';

export interface DemoLoadOptions {
  readonly kind: string;
  readonly seconds: number;
  readonly megabytes: number;
}

const CHUNK = Buffer.alloc(64 * 1024, 1);

/** One bounded load of `demo`, in a process of its own: ends by its own clock, and when its parent has gone. */
export async function run(args: DemoLoadOptions): Promise<number> {
  const end = performance.now() + Math.min(args.seconds, 60) * 1000;
  const parent = process.ppid;
  const over = (): boolean => performance.now() >= end || process.ppid !== parent;
  if (args.kind === 'memory') await holdMemory(Math.min(args.megabytes, 2048), over);
  else if (args.kind === 'network') await talk(over);
  else await spin(over);
  return Exit.done;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function spin(over: () => boolean): Promise<void> {
  while (!over()) {
    const until = performance.now() + 50;
    while (performance.now() < until);
    await pause(0);
  }
}

async function holdMemory(megabytes: number, over: () => boolean): Promise<void> {
  const held: Buffer[] = [];
  while (!over()) {
    // Written to, so that the pages are really there.
    if (held.length < megabytes) held.push(Buffer.alloc(1024 * 1024, 1));
    else await pause(100);
    if (held.length % 32 === 0) await pause(5);
  }
}

/** Bytes through a TCP connection on the loopback interface: no packet leaves the host. */
async function talk(over: () => boolean): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => socket.destroy()).resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const socket = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  while (!over() && !socket.destroyed) {
    // About 20 MB/s in bursts, leaving the processor to the load that is named after it.
    for (let i = 0; i < 16; i++) socket.write(CHUNK);
    if (socket.writableNeedDrain) await new Promise<void>((resolve) => socket.once('drain', () => resolve()));
    await pause(50);
  }
  socket.destroy();
  server.close();
}
