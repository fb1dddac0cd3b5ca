import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { type Fields, REFERENCE, type Reference } from './mlflow-reference.ts';
import { MlflowState, Refusal } from './mlflow-state.ts';

export interface SeenCall {
  readonly method: string;
  /** `runs/create`, `PUT artifact`, … */
  readonly call: string;
  readonly fields: Fields;
  readonly authorization: string | undefined;
}

export type Fault =
  /** Reset before anything was done. */
  | 'cut'
  /** Done, and then reset: the answer is lost. */
  | 'cutAnswer'
  /** Done; the head and half of the body, then reset. */
  | 'cutBody'
  /** Nothing is said. */
  | 'hang'
  /** A body without end. */
  | 'endless'
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };

export interface FakeMlflowOptions {
  /** `none`: artifacts lie elsewhere; `off`: the server runs without --serve-artifacts. */
  readonly artifacts?: 'proxy' | 'none' | 'off';
  readonly basePath?: string;
  /** Called for every request, counted from 1. */
  readonly fault?: (call: string, nth: number) => Fault | null;
  readonly authorization?: string;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
}

export interface FakeMlflow {
  readonly url: string;
  readonly state: MlflowState;
  readonly seen: SeenCall[];
  options: FakeMlflowOptions;
  /** What was against the reference, if anything; a test must find it empty. */
  readonly faults: string[];
  stop(): Promise<void>;
}

const LIMIT_BYTES = 1_000_000;

/**
 * An MLflow tracking server as far as its REST reference goes: every request is held to path, method, content type,
 * names, types and limits of its fields. Like MLflow's file store it keeps a metric twice that is logged twice.
 */
export async function fakeMlflow(initial: FakeMlflowOptions = {}): Promise<FakeMlflow> {
  const state = new MlflowState();
  const seen: SeenCall[] = [];
  const faults: string[] = [];
  const sockets = new Set<Socket>();
  const fake = { options: initial };
  let requests = 0;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? '', 'http://localhost');
    const { call, reference, artifact } = route(
      request.method ?? '',
      url.pathname,
      fake.options.basePath ?? '',
    );
    requests++;
    const { authorization } = request.headers;
    const fields: Fields =
      artifact !== null ? {} : request.method === 'GET' ? Object.fromEntries(url.searchParams) : json(body);
    seen.push({ method: request.method ?? '', call, fields, authorization });
    const fault = fake.options.fault?.(call, requests) ?? null;
    if (fault === 'cut') return void request.socket.resetAndDestroy();
    if (fault === 'hang') return;
    if (typeof fault === 'object' && fault !== null) {
      response.writeHead(fault.status, fault.headers).end(fault.body ?? '');
      return;
    }
    if (fault === 'endless') {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
      return;
    }
    if (fake.options.authorization !== undefined && authorization !== fake.options.authorization) {
      // As a careless proxy does: it repeats what it was sent.
      response.writeHead(401).end(`not permitted: ${authorization}`);
      return;
    }
    let answer: { status: number; body: string };
    try {
      answer = { status: 200, body: JSON.stringify(act(request, body, fields, reference, artifact, call)) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      answer =
        error.code === null
          ? { status: error.status, body: error.message }
          : {
              status: error.status,
              body: JSON.stringify({ error_code: error.code, message: error.message }),
            };
    }
    if (fault === 'cutAnswer') return void request.socket.resetAndDestroy();
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    if (fault === 'cutBody') {
      response.write(answer.body.slice(0, 1));
      // Once the head is on its way.
      setImmediate(() => request.socket.destroy());
      return;
    }
    response.end(answer.body);
  };

  const act = (
    request: IncomingMessage,
    body: Buffer,
    fields: Fields,
    reference: Reference | null,
    artifact: string | null,
    call: string,
  ): unknown => {
    if (body.length > 0 && Number(request.headers['content-length']) !== body.length) {
      throw new Error(`${call}: wrong content-length`);
    }
    if (artifact !== null) {
      if (fake.options.artifacts === 'off') {
        throw new Refusal(503, null, 'disabled due to the mlflow server running without `--serve-artifacts`');
      }
      state.artifacts.set(artifact, body);
      return {};
    }
    if (reference === null) throw new Refusal(404, 'ENDPOINT_NOT_FOUND', `no endpoint ${call}`);
    const type = request.headers['content-type'];
    if (reference.method === 'POST' && type !== 'application/json')
      throw new Error(`${call}: content type ${type}`);
    if (call === 'runs/log-batch' && body.length > LIMIT_BYTES) {
      throw new Refusal(400, 'INVALID_PARAMETER_VALUE', 'request of more than 1 MB');
    }
    reference.check(fields);
    return state.act(call, fields, fake.options.artifacts === 'none' ? 's3://bucket' : 'mlflow-artifacts:');
  };

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') faults.push(String(error));
      response.destroy();
    });
  };
  const { tls } = initial;
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return Object.assign(fake, {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}${initial.basePath ?? ''}`,
    state,
    seen,
    faults,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

function route(
  method: string,
  path: string,
  basePath: string,
): { call: string; reference: Reference | null; artifact: string | null } {
  const api = `${basePath}/api/2.0/mlflow/`;
  const proxy = `${basePath}/api/2.0/mlflow-artifacts/artifacts/`;
  if (method === 'PUT' && path.startsWith(proxy)) {
    return { call: 'PUT artifact', reference: null, artifact: decodeURIComponent(path.slice(proxy.length)) };
  }
  const call = path.startsWith(api) ? path.slice(api.length) : path;
  const reference = REFERENCE[call];
  return { call, reference: reference?.method === method ? reference : null, artifact: null };
}

function json(body: Buffer): Fields {
  const document: unknown = JSON.parse(body.toString('utf8'));
  if (typeof document !== 'object' || document === null) throw new Error('body is no JSON object');
  return document as Fields;
}
