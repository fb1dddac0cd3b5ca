import { CLOUDEVENTS_CONTENT_TYPE } from '../../../core/protocol/cloudevents.ts';
import { type AlertData, EVENT_TYPES, SEVERITIES, type StoredEvent } from '../../../core/protocol/events.ts';
import type { SinkConfig } from '../../config/config.ts';
import { encodeEvent } from '../encode.ts';
import type { HttpRequest } from '../http/http-client.ts';
import { HttpSinkCore, type HttpSinkDependencies } from '../http/http-sink.ts';
import type { Settlement, Sink, SinkContext, SinkStatus } from '../sink.ts';
import { alertmanagerAlerts } from './alertmanager.ts';

/** One POST an event: a CloudEvent in structured mode, or alerts for the Prometheus Alertmanager. */
export class WebhookSink implements Sink {
  readonly name: string;
  readonly kind = 'webhook';
  readonly #core: HttpSinkCore;
  readonly #config: SinkConfig;
  readonly #context: SinkContext;
  readonly #nowMs: () => number;
  readonly #path: string;
  readonly #least: number;

  /** @throws SinkConfigurationError for settings that can never work */
  constructor(config: SinkConfig, context: SinkContext, deps: HttpSinkDependencies) {
    this.name = config.name;
    this.#core = new HttpSinkCore(config, deps);
    this.#config = config;
    this.#context = context;
    this.#nowMs = deps.nowMs;
    this.#least = SEVERITIES.indexOf(config.minimumSeverity ?? 'info');
    const { path, query } = this.#core.endpoint;
    const search = query.size === 0 ? '' : `?${query}`;
    const api = config.format === 'alertmanager' && !path.endsWith('/api/v2/alerts') ? '/api/v2/alerts' : '';
    this.#path = `${api === '' ? path : path.replace(/\/$/, '')}${api}${search}`;
  }

  start(onReady: () => void): void {
    this.#core.start(onReady);
  }

  connected(): boolean {
    return this.#core.open();
  }

  async deliver(events: readonly StoredEvent[]): Promise<Settlement[]> {
    const settlements: Settlement[] = [];
    for (const event of events) {
      const last = settlements.at(-1);
      // What one request waits for, the next would too.
      settlements.push(last?.outcome === 'retry' ? last : await this.#deliver(event));
    }
    return settlements;
  }

  async #deliver(event: StoredEvent): Promise<Settlement> {
    if (!this.#wanted(event)) {
      this.#core.count('leftOut');
      return { outcome: 'delivered' };
    }
    const body = this.#body(event);
    if ('fault' in body) return { outcome: 'poison', reason: body.fault };
    const [settlement] = await this.#core.postSplitting([body.text], ([text = '']) => this.#request(text));
    return settlement as Settlement;
  }

  /** An Alertmanager knows alerts only. */
  #wanted(event: StoredEvent): boolean {
    if (event.type !== EVENT_TYPES.incident || event.severity === null) {
      return this.#config.format !== 'alertmanager' && this.#least === 0;
    }
    return SEVERITIES.indexOf(event.severity) >= this.#least;
  }

  #body(event: StoredEvent): { readonly text: string } | { readonly fault: string } {
    const { identity } = this.#context;
    const encoded = encodeEvent(event, identity, this.#nowMs(), false);
    if ('fault' in encoded || this.#config.format !== 'alertmanager') return encoded;
    const data = JSON.parse(event.data) as AlertData;
    return { text: JSON.stringify(alertmanagerAlerts(data, identity.site)) };
  }

  #request(body: string): HttpRequest {
    const type = this.#config.format === 'alertmanager' ? 'application/json' : CLOUDEVENTS_CONTENT_TYPE;
    return {
      path: this.#path,
      headers: { 'content-type': `${type}; charset=utf-8`, ...this.#core.authorization('Bearer') },
      body,
    };
  }

  /** Scores are for the broker and the database. */
  telemetry(): void {}

  status(): SinkStatus {
    return this.#core.status(this.name, this.kind);
  }

  async close(): Promise<void> {
    this.#core.close();
  }
}
