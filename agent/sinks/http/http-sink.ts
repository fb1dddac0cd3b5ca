import type { SinkConfig } from '../../config/config.ts';
import type { Log } from '../../log.ts';
import { checkFiles, readSecret } from '../files.ts';
import type { Settlement, SinkStatus } from '../sink.ts';
import { type HttpEndpoint, parseHttpEndpoint } from './endpoint.ts';
import { HttpClient, type HttpRequest, type SetTimer } from './http-client.ts';
import { redact, secretsOf } from './redact.ts';
import { sendSplitting } from './split.ts';
import { judge, type Verdict } from './verdict.ts';

export interface HttpSinkDependencies {
  readonly nowMs: () => number;
  readonly setTimer: SetTimer;
  readonly log: Log;
}

/** What the sinks over HTTP share: the client, who they are, whether the server is there, what was counted. */
export class HttpSinkCore {
  readonly endpoint: HttpEndpoint;
  readonly #config: SinkConfig;
  readonly #client: HttpClient;
  readonly #deps: HttpSinkDependencies;
  readonly #counters: Record<string, number> = {};
  #started = false;
  #closed = false;
  #reachable = true;
  #connects = 0;
  #lastError: string | null = null;

  /** @throws SinkConfigurationError for settings that can never work */
  constructor(config: SinkConfig, deps: HttpSinkDependencies) {
    this.endpoint = parseHttpEndpoint(config);
    // Unreadable files are told at start, not at the first night.
    checkFiles(config);
    this.#config = config;
    this.#deps = deps;
    this.#client = new HttpClient(config, this.endpoint, deps.setTimer);
  }

  start(onReady: () => void): void {
    this.#started = true;
    this.#connects = 1;
    if (this.#config.insecure === true)
      this.#deps.log('warning', 'http.insecure', { sink: this.#config.name });
    onReady();
  }

  /** There is no connection to wait for: each request finds out. */
  open(): boolean {
    return this.#started && !this.#closed;
  }

  /** Token or user name and password (RFC 6750, RFC 7617). @throws SinkConfigurationError */
  authorization(tokenScheme: string): Record<string, string> {
    const token = readSecret(this.#config, 'tokenFile');
    if (token !== undefined) return { authorization: `${tokenScheme} ${token}` };
    const user = readSecret(this.#config, 'usernameFile') ?? this.#config.username;
    if (user === undefined) return {};
    const password = readSecret(this.#config, 'passwordFile') ?? '';
    return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  }

  /** Never rejects. */
  async post(request: () => HttpRequest | Promise<HttpRequest>): Promise<Verdict> {
    let verdict: Verdict;
    try {
      const what = await request();
      const answer = await this.#client.post(what);
      const secrets = secretsOf(this.#config, this.endpoint, what.headers);
      const shown = answer.kind === 'answer' ? { ...answer, body: redact(answer.body, secrets) } : answer;
      verdict = judge(shown, this.endpoint.target, this.#deps.nowMs());
      this.count('requests');
    } catch (error) {
      // A file that was there at start and is gone or damaged now may come back.
      verdict = { kind: 'retry', reason: error instanceof Error ? error.message : String(error) };
    }
    this.#note(verdict);
    return verdict;
  }

  /** A batch in as few requests as its poison allows. */
  async postSplitting<T>(
    items: readonly T[],
    request: (items: readonly T[]) => HttpRequest | Promise<HttpRequest>,
  ) {
    const settlements = await sendSplitting(items, (part) => this.post(() => request(part)));
    return settlements satisfies Settlement[];
  }

  #note(verdict: Verdict): void {
    if (verdict.kind === 'delivered') {
      if (!this.#reachable) this.#connects++;
      this.#reachable = true;
      this.#lastError = null;
      return;
    }
    this.count(verdict.kind === 'refused' ? 'requestsRefused' : 'requestsFailed');
    this.#reachable &&= verdict.kind === 'refused';
    this.#lastError = verdict.reason;
  }

  count(key: string, by = 1): void {
    this.#counters[key] = (this.#counters[key] ?? 0) + by;
  }

  status(name: string, kind: string): SinkStatus {
    return {
      name,
      kind,
      connected: this.#reachable && this.open(),
      target: this.endpoint.target,
      lastError: this.#lastError,
      connects: this.#connects,
      counters: { ...this.#counters },
    };
  }

  close(): void {
    this.#closed = true;
    this.#client.close();
  }
}
