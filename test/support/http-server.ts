import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface SeenRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** Decompressed. */
  readonly body: string;
}

export type Answer =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  /** Nothing is said. */
  | 'hang'
  /** The connection is reset. */
  | 'reset'
  /** The head, then a body that never ends, a byte at a time. */
  | 'drip';

export interface FakeServer {
  readonly port: number;
  readonly seen: SeenRequest[];
  /** Connections taken so far. */
  connections(): number;
  /** Resets what is open. */
  cut(): void;
  stop(): Promise<void>;
}

/**
 * An HTTP server that answers as told, and holds every request to HTTP: what it finds wrong is thrown by `stop`.
 * @param answer may throw: then the request was at fault
 */
export async function fakeServer(answer: (request: SeenRequest, nth: number) => Answer): Promise<FakeServer> {
  const seen: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const faults: unknown[] = [];
  let connections = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks);
    if (request.method !== 'POST') throw new Error(`method ${request.method}`);
    if (Number(request.headers['content-length']) !== raw.length) throw new Error('wrong content-length');
    const url = new URL(request.url ?? '', 'http://localhost');
    const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw).toString('utf8');
    const one = { path: url.pathname, query: url.searchParams, headers: request.headers, body };
    seen.push(one);
    const said = answer(one, seen.length);
    if (said === 'hang') return;
    if (said === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    if (said === 'drip') {
      response.writeHead(500, { 'content-type': 'text/plain' });
      const timer = setInterval(() => response.write('x'), 20);
      response.once('close', () => clearInterval(timer));
      return;
    }
    response.writeHead(said.status, said.headers).end(said.body);
  };
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') faults.push(error);
      response.destroy();
    });
  });
  server.on('connection', (socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    seen,
    connections: () => connections,
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      if (faults.length > 0) throw faults[0];
    },
  };
}
