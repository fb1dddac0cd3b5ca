import { Agent, type IncomingMessage, request } from 'node:http';
import { MlflowError } from './mlflow-error.ts';
import type { TrackingServer } from './settings.ts';

/** From the last byte that could be sent to the end of the answer's head: a server may copy an artifact meanwhile. */
const ANSWER_TIMEOUT_MS = 30_000;
const BODY_TIMEOUT_MS = 30_000;
/** A run with everything that is logged here has some 100 KB. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** A Retry-After beyond this is taken as this. */
const MAX_RETRY_AFTER_MS = 3_600_000;

export interface HttpAsk {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** With the query, behind the base path of the server. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Uint8Array | string;
}

export interface HttpSaid {
  readonly status: number;
  readonly contentType: string;
  readonly afterMs: number | null;
  /** Whole, or none: it is an error where it is too long, too slow, or cut. */
  readonly body: string;
}

export interface HttpLimits {
  readonly answerTimeoutMs?: number;
  readonly bodyTimeoutMs?: number;
  readonly maxBodyBytes?: number;
}

/**
 * Requests over one kept-alive connection, on node:http: no redirects, no cookies, no decompression, no retries,
 * bounded in time and bytes whatever the server does. Certificates are always checked.
 */
export class TrackingHttp {
  readonly #server: TrackingServer;
  readonly #limits: Required<HttpLimits>;
  #agent: Agent | null = null;

  constructor(server: TrackingServer, limits: HttpLimits = {}) {
    this.#server = server;
    this.#limits = {
      answerTimeoutMs: limits.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
      bodyTimeoutMs: limits.bodyTimeoutMs ?? BODY_TIMEOUT_MS,
      maxBodyBytes: limits.maxBodyBytes ?? MAX_BODY_BYTES,
    };
  }

  /** @throws MlflowError `unreachable`, whether or not the server has seen the request */
  async ask(what: HttpAsk): Promise<HttpSaid> {
    const { tls, host, port, basePath, ca } = this.#server;
    const https = tls ? await import('node:https') : null;
    this.#agent ??= new (https?.Agent ?? Agent)({ keepAlive: true, maxSockets: 1 });
    const body = typeof what.body === 'string' ? Buffer.from(what.body) : what.body;
    const authorization = this.#server.authorization();
    const options = {
      method: what.method,
      host,
      port,
      path: `${basePath}${what.path}`,
      agent: this.#agent,
      headers: {
        accept: 'application/json',
        ...(authorization !== null && { authorization }),
        ...(what.contentType !== undefined && { 'content-type': what.contentType }),
        ...(body !== undefined && { 'content-length': body.byteLength }),
      },
      ...(tls && {
        minVersion: 'TLSv1.2' as const,
        // An IP address is no server name (RFC 6066, section 3).
        ...(!/^[\d.]+$|:/.test(host) && { servername: host }),
        ...(ca !== null && { ca }),
      }),
    };
    return await new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void =>
        reject(new MlflowError('unreachable', `${this.#server.url}: ${networkWords(error)}`));
      const sent = (https?.request ?? request)(options);
      const seconds = this.#limits.answerTimeoutMs / 1000;
      const timer = setTimeout(
        () => sent.destroy(new Error(`no answer within ${seconds} s`)),
        this.#limits.answerTimeoutMs,
      );
      sent.once('response', (response) => {
        clearTimeout(timer);
        this.#read(response).then(
          (text) => resolve(said(response, text)),
          (error: NodeJS.ErrnoException) => fail(error),
        );
      });
      sent.on('error', (error) => {
        clearTimeout(timer);
        fail(error);
      });
      sent.end(body);
    });
  }

  /** What does not come whole costs its connection, not our time or memory. */
  #read(response: IncomingMessage): Promise<string> {
    const { bodyTimeoutMs, maxBodyBytes } = this.#limits;
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const fail = (why: string): void => {
        clearTimeout(timer);
        response.destroy();
        reject(new Error(why));
      };
      const timer = setTimeout(
        () => fail(`the answer took more than ${bodyTimeoutMs / 1000} s`),
        bodyTimeoutMs,
      );
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBodyBytes) fail(`the answer has more than ${maxBodyBytes} bytes`);
        else chunks.push(chunk);
      });
      response.once('end', () => {
        clearTimeout(timer);
        resolve(Buffer.concat(chunks).toString('utf8'));
      });
      response.on('error', () => fail('the answer was cut short'));
      response.once('close', () => {
        if (!response.complete) fail('the answer was cut short');
      });
    });
  }

  close(): void {
    this.#agent?.destroy();
  }
}

const said = (response: IncomingMessage, body: string): HttpSaid => ({
  status: response.statusCode ?? 0,
  contentType: response.headers['content-type'] ?? '',
  afterMs: retryAfterMs(response.headers['retry-after'], Date.now()),
  body,
});

/** Seconds or an HTTP date (RFC 9110, section 10.2.3). */
export function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms)) : null;
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused); is the server running, and is the port right?',
  ENOTFOUND: 'the host name is not known; check its spelling and the name server',
  EAI_AGAIN: 'the name server does not answer',
  ETIMEDOUT: 'no answer in time; is a firewall in between?',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ECONNRESET: 'the server closed the connection',
  EPIPE: 'the server closed the connection',
  HPE_INVALID_CONSTANT: 'what answers there is no HTTP server',
  CERT_HAS_EXPIRED: "the server's certificate has expired; renew it",
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for another host name; use that one in the URL",
};
const UNKNOWN_AUTHORITY =
  "the server's authority is not known here; name it in MLFLOW_TRACKING_SERVER_CERT_PATH";

function networkWords({ code, message }: NodeJS.ErrnoException): string {
  if (code === undefined) return message;
  if (/SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/.test(code)) return UNKNOWN_AUTHORITY;
  return WORDS[code] ?? `${message === '' ? code : message}`;
}
