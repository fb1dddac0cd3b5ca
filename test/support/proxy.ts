import { connect, createServer, type Server, type Socket } from 'node:net';

/** up: bytes pass. down: nothing listens. refusing: cut at once. hanging: taken, and never a byte. */
export const LINK_STATES = ['up', 'down', 'refusing', 'hanging'] as const;
export type LinkState = (typeof LINK_STATES)[number];

export interface Link {
  readonly port: number;
  set(state: LinkState): Promise<void>;
  stop(): Promise<void>;
}

/** The network between an agent and a server that stays as it is. A change cuts what is open. */
export async function startLink(target: number): Promise<Link> {
  const sockets = new Set<Socket>();
  let state: LinkState = 'up';
  let server: Server | null = null;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      server = createServer((near) => {
        keep(near);
        if (state === 'refusing') near.resetAndDestroy();
        if (state !== 'up') return;
        const far = connect(target, '127.0.0.1');
        keep(far);
        near.pipe(far);
        far.pipe(near);
        near.once('close', () => far.destroy());
        far.once('close', () => near.destroy());
      });
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        const address = server?.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  const close = async (): Promise<void> => {
    const closing = server;
    server = null;
    cut();
    if (closing !== null) await new Promise<void>((resolve) => closing.close(() => resolve()));
  };
  const port = await listen(0);
  return {
    port,
    set: async (next) => {
      if (next === state) return;
      state = next;
      cut();
      if (next === 'down') await close();
      else if (server === null) await listen(port);
    },
    stop: close,
  };
}
