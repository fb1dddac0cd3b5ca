import type { ScheduledTask } from 'node-cron';
import type { AgentConfig } from './config/config.ts';

const EARLIEST_HOUR = 2;
const MINUTES = 180;

/** Rings when a model is to be fitted anew: at the configured times, or once a night. */
export class Nights {
  readonly #ring: () => void;
  /** A minute of this agent's own between 2 and 5, so that a fleet does not work at the same one. */
  readonly #nightly: string;
  #expression: string | null = null;
  #task: ScheduledTask | null = null;

  constructor(ring: () => void, random: () => number = Math.random) {
    const minute = Math.floor(random() * MINUTES);
    this.#nightly = `${minute % 60} ${EARLIEST_HOUR + Math.floor(minute / 60)} * * *`;
    this.#ring = ring;
  }

  /** Follows a configuration from now on; one that says the same times changes nothing. */
  async follow({ refit, retraining }: Pick<AgentConfig, 'refit' | 'retraining'>): Promise<void> {
    await this.#set(retraining.schedule ?? (refit === 'off' ? null : this.#nightly));
  }

  async stop(): Promise<void> {
    await this.#set(null);
  }

  async #set(expression: string | null): Promise<void> {
    if (expression === this.#expression) return;
    this.#expression = expression;
    const before = this.#task;
    this.#task = null;
    await before?.stop();
    if (expression === null) return;
    const { schedule } = await import('node-cron');
    // Another one may have come meanwhile.
    if (expression === this.#expression && this.#task === null) {
      this.#task = schedule(expression, this.#ring);
    }
  }
}
