import { CLOUDEVENTS_CONTENT_TYPE } from '../core/protocol/cloudevents.ts';
import { hubCloudEvent } from '../core/protocol/hub-envelope.ts';
import { ALERT_EXPIRY_SECONDS } from '../core/protocol/limits.ts';
import { hubTopics } from '../core/protocol/topics.ts';
import type { HubDependencies } from './hub.ts';

const AT_ONCE = 100;

/** The hub's own alerts on their way out: in order; what the broker did not take waits in the store. */
export class AlertsOut {
  readonly #deps: Pick<HubDependencies, 'store' | 'broker' | 'log'>;
  #publishing: Promise<void> | null = null;
  #stopped = false;

  constructor(deps: Pick<HubDependencies, 'store' | 'broker' | 'log'>) {
    this.#deps = deps;
  }

  publish(): Promise<void> {
    this.#publishing ??= this.#publishAll().finally(() => {
      this.#publishing = null;
    });
    return this.#publishing;
  }

  async #publishAll(): Promise<void> {
    try {
      for (const alert of this.#stopped ? [] : this.#deps.store.unpublished(AT_ONCE)) {
        const topic = hubTopics(alert.site).alert(alert.severity);
        await this.#deps.broker.publish(topic, JSON.stringify(hubCloudEvent(alert)), {
          expirySeconds: ALERT_EXPIRY_SECONDS,
          contentType: CLOUDEVENTS_CONTENT_TYPE,
        });
        this.#deps.store.published(alert.sequence.n);
      }
    } catch (error) {
      // A store that fails is found to by the next write.
      if (!this.#stopped) this.#deps.log('warning', 'hub.alertWaits', { error: (error as Error).message });
    }
  }

  /** After the one that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#publishing;
  }
}
