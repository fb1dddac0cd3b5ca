import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Log } from './log.ts';

/**
 * The local API: a Unix socket (mode 0660), one JSON request a line, one JSON answer a line; `follow` streams.
 * Requests: {"method":"status"}, {"method":"alerts","limit":20}, {"method":"alert","id":"…"}, {"method":"follow"}.
 * Answers: {"ok":true,"result":…} or {"ok":false,"error":"…"}.
 */
export type Handler = (request: Readonly<Record<string, unknown>>) => unknown;

const MAX_REQUEST_BYTES = 16 * 1024;
const MAX_CLIENTS = 32;
/** A client that does not read is cut off rather than buffered for. */
const MAX_UNREAD_BYTES = 1024 * 1024;

export class LocalApi {
  readonly #handlers: Readonly<Record<string, Handler>>;
  readonly #log: Log;
  readonly #followers = new Set<Socket>();
  readonly #clients = new Set<Socket>();
  #server: Server | null = null;
  #path = '';

  constructor(handlers: Readonly<Record<string, Handler>>, log: Log) {
    this.#handlers = handlers;
    this.#log = log;
  }

  /** @throws Error where the path can't be listened on */
  async listen(path: string): Promise<void> {
    // The state directory is locked by this agent, so a socket file there is a dead one's. Anything else is not ours.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found !== undefined) {
      if (!found.isSocket()) throw new Error('there is a file already, and it is not a socket');
      unlinkSync(path);
    }
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    this.#path = path;
    const before = process.umask(0o117);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(path, resolve);
      });
    } finally {
      process.umask(before);
    }
    chmodSync(path, 0o660);
    server.on('error', (error) => this.#log('warning', 'api.failed', { error: error.message }));
  }

  #accept(socket: Socket): void {
    if (this.#clients.size >= MAX_CLIENTS) {
      socket.destroy();
      return;
    }
    this.#clients.add(socket);
    let buffered = '';
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#clients.delete(socket);
      this.#followers.delete(socket);
    });
    socket.on('data', (chunk: string) => {
      buffered += chunk;
      for (let end = buffered.indexOf('\n'); end >= 0; end = buffered.indexOf('\n')) {
        if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
        if (socket.destroyed) return;
        this.#answer(socket, buffered.slice(0, end));
        buffered = buffered.slice(end + 1);
      }
      if (buffered.length > MAX_REQUEST_BYTES) socket.destroy();
    });
  }

  #answer(socket: Socket, line: string): void {
    const reply = (answer: object): void => {
      socket.write(`${JSON.stringify(answer)}\n`);
    };
    try {
      const request: unknown = JSON.parse(line);
      if (typeof request !== 'object' || request === null) throw new Error('expected a JSON object');
      const { method } = request as { method?: unknown };
      if (method === 'follow') {
        this.#followers.add(socket);
        reply({ ok: true, result: null });
        return;
      }
      const handler =
        typeof method === 'string' && Object.hasOwn(this.#handlers, method)
          ? this.#handlers[method]
          : undefined;
      if (handler === undefined) throw new Error(`unknown method ${JSON.stringify(method)}`);
      reply({ ok: true, result: handler(request as Record<string, unknown>) });
    } catch (error) {
      reply({ ok: false, error: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Tells all followers. */
  publish(message: object): void {
    if (this.#followers.size === 0) return;
    const line = `${JSON.stringify(message)}\n`;
    for (const socket of this.#followers) {
      if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
      else socket.write(line);
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#clients) socket.destroy();
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    await new Promise<void>((resolve) => server.close(() => resolve()));
    if (existsSync(this.#path)) unlinkSync(this.#path);
  }
}

/** One request to a running agent. @throws Error with the agent's own word, or why it can't be reached */
export async function ask<T>(path: string, request: object, timeoutMs = 5000): Promise<T> {
  for await (const message of converse(path, request, timeoutMs)) return message as T;
  throw new Error('the agent closed the connection without an answer');
}

/** Sends a request and yields every answer. The first must come within the timeout. */
export async function* converse(path: string, request: object, timeoutMs = 5000): AsyncGenerator<unknown> {
  const socket = connect(path);
  socket.setEncoding('utf8');
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    let buffered = '';
    let first = true;
    for await (const chunk of socket) {
      socket.setTimeout(0);
      buffered += chunk as string;
      for (let end = buffered.indexOf('\n'); end >= 0; end = buffered.indexOf('\n')) {
        const answer = JSON.parse(buffered.slice(0, end)) as {
          ok?: boolean;
          result?: unknown;
          error?: string;
        };
        buffered = buffered.slice(end + 1);
        if (first) {
          first = false;
          if (answer.ok !== true) throw new Error(answer.error ?? 'refused');
          yield answer.result;
        } else yield answer;
      }
    }
  } finally {
    socket.destroy();
  }
}
