import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { SinkConfig } from '../../config/config.ts';
import { tlsOptions } from '../files.ts';
import type { HttpEndpoint } from './endpoint.ts';

/** From the first byte sent to the end of the answer's head. */
const ANSWER_TIMEOUT_MS = 20_000;
/** What an error says is read for so long, and so many bytes of it: its status is known already. */
const BODY_TIMEOUT_MS = 2_000;
const MAX_BODY_BYTES = 16 * 1024;
const IDLE_SOCKET_MS = 60_000;

export type HttpAnswer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** Raw, of the server. */
      readonly retryAfter: string | undefined;
      /** The body's beginning. */
      readonly body: string;
    }
  | { readonly kind: 'failure'; readonly error: unknown };

export interface HttpRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

export type SetTimer = (callback: () => void, ms: number) => () => void;

/**
 * POST over one kept-alive connection, on node:http: no redirects, no cookies, no decompression, bounded in time and
 * in bytes whatever the server does.
 */
export class HttpClient {
  readonly #sink: SinkConfig;
  readonly #endpoint: HttpEndpoint;
  readonly #setTimer: SetTimer;
  #agent: Agent | null = null;
  readonly #requests = new Set<ClientRequest>();
  #closed = false;

  constructor(sink: SinkConfig, endpoint: HttpEndpoint, setTimer: SetTimer) {
    this.#sink = sink;
    this.#endpoint = endpoint;
    this.#setTimer = setTimer;
  }

  /** Always resolves. */
  async post(what: HttpRequest): Promise<HttpAnswer> {
    try {
      const first = await this.#once(what);
      // The server closed the idle connection while we took it up again: it has seen nothing of this.
      return first === 'staleConnection' ? lastWord(await this.#once(what)) : first;
    } catch (error) {
      return { kind: 'failure', error };
    }
  }

  async #once(what: HttpRequest): Promise<HttpAnswer | 'staleConnection'> {
    const { tls, host, port } = this.#endpoint;
    const https = tls ? await import('node:https') : null;
    if (this.#closed) return { kind: 'failure', error: new Error('closed') };
    this.#agent ??= new (https?.Agent ?? Agent)({
      keepAlive: true,
      maxSockets: 1,
      maxFreeSockets: 1,
      timeout: IDLE_SOCKET_MS,
    });
    const body = typeof what.body === 'string' ? Buffer.from(what.body) : what.body;
    const options = {
      method: 'POST',
      host,
      port,
      path: what.path,
      agent: this.#agent,
      headers: { ...what.headers, 'content-length': body.byteLength },
      ...(tls && tlsOptions(this.#sink, host)),
    };
    return await new Promise((resolve) => {
      const sent = (https?.request ?? request)(options);
      this.#requests.add(sent);
      const cancel = this.#setTimer(() => {
        sent.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`));
      }, ANSWER_TIMEOUT_MS);
      const settle = (answer: HttpAnswer | 'staleConnection'): void => {
        cancel();
        this.#requests.delete(sent);
        resolve(answer);
      };
      sent.once('response', (response) => {
        cancel();
        void this.#read(response).then((text) =>
          settle({
            kind: 'answer',
            status: response.statusCode ?? 0,
            retryAfter: response.headers['retry-after'],
            body: text,
          }),
        );
      });
      // Stays: node:http may say more than one thing about a broken connection.
      sent.on('error', (error: NodeJS.ErrnoException) => {
        settle(
          sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
            ? 'staleConnection'
            : { kind: 'failure', error },
        );
      });
      sent.end(body);
    });
  }

  /** The beginning of a body; a slow or endless one costs its connection, not our time. */
  #read(response: IncomingMessage): Promise<string> {
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const done = (complete: boolean): void => {
        cancel();
        if (!complete) response.destroy();
        resolve(Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8'));
      };
      const cancel = this.#setTimer(() => done(false), BODY_TIMEOUT_MS);
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > MAX_BODY_BYTES) done(false);
      });
      response.once('end', () => done(true));
      response.once('error', () => done(false));
      response.once('close', () => done(false));
    });
  }

  close(): void {
    this.#closed = true;
    for (const sent of this.#requests) sent.destroy(new Error('closed'));
    this.#agent?.destroy();
  }
}

const lastWord = (answer: HttpAnswer | 'staleConnection'): HttpAnswer =>
  answer === 'staleConnection'
    ? { kind: 'failure', error: new Error('the server closed the connection twice') }
    : answer;
