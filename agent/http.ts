import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { OPEN_METRICS, TEXT_FORMAT } from './exposition.ts';

/** /metrics, /healthz and /readyz, on loopback, where the configuration asks for it. */

export interface Health {
  readonly ok: boolean;
  /** A line for a person. */
  readonly says: string;
}

export interface HttpAnswers {
  readonly metrics: (openMetrics: boolean) => string;
  readonly healthz: () => Health;
  readonly readyz: () => Health;
}

const MAX_CONNECTIONS = 16;
const TIMEOUT_MS = 5000;

export interface HttpListener {
  readonly port: number;
  close(): Promise<void>;
}

/** @throws Error where the address can't be listened on */
export async function listenHttp(
  { host, port }: { readonly host: string; readonly port: number },
  answers: HttpAnswers,
): Promise<HttpListener> {
  const server = createServer(
    {
      headersTimeout: TIMEOUT_MS,
      requestTimeout: TIMEOUT_MS,
      keepAliveTimeout: TIMEOUT_MS,
      maxHeaderSize: 8192,
    },
    (request, response) => answer(request, response, answers),
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  // One that breaks a connection is no fault of the agent.
  server.on('error', () => {});
  server.unref();
  return { port: portOf(server), close: () => close(server) };
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const PLAIN = 'text/plain; charset=utf-8';

function answer(request: IncomingMessage, response: ServerResponse, answers: HttpAnswers): void {
  const { status, type, body } = reply(request, answers);
  request.resume();
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function reply({ method, url, headers }: IncomingMessage, answers: HttpAnswers): Reply {
  const health = ({ ok, says }: Health): Reply => ({
    status: ok ? 200 : 503,
    type: PLAIN,
    body: `${says}\n`,
  });
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, type: PLAIN, body: 'GET only\n' };
  const path = url?.split('?')[0];
  if (path === '/metrics') {
    const open = headers.accept?.includes('application/openmetrics-text') === true;
    return { status: 200, type: open ? OPEN_METRICS : TEXT_FORMAT, body: answers.metrics(open) };
  }
  if (path === '/healthz') return health(answers.healthz());
  if (path === '/readyz') return health(answers.readyz());
  return { status: 404, type: PLAIN, body: 'there are /metrics, /healthz and /readyz\n' };
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
