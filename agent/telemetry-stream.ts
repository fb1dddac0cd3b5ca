import type { AgentDependencies } from './agent.ts';
import { type Seldom, type TelemetryParts, type TelemetryPoint, telemetryBatch } from './telemetry-batch.ts';

const EVERY_MS = 10_000;
const SELDOM_MS = 5 * 60_000;
const MOST_POINTS = 256;

type Said = Pick<TelemetryParts, 'counters' | 'state' | 'modelTrainedTo' | 'driftSeverity'> & {
  readonly drift: () => Seldom['drift'] | null;
  readonly performance: () => Seldom['performance'];
};

/** Scores and health on their way out: batched over ten seconds, what changes slowly every five minutes. */
export class TelemetryStream {
  readonly #deps: AgentDependencies;
  #points: TelemetryPoint[] = [];
  #sentMs = 0;
  #seldomMs = 0;

  constructor(deps: AgentDependencies) {
    this.#deps = deps;
  }

  push(timeMs: number, score: number, surprise: number | null): void {
    this.#points.push({ timeMs, score: Number.isFinite(score) ? score : null, surprise });
  }

  due(nowMs: number): boolean {
    return nowMs - this.#sentMs >= EVERY_MS || this.#points.length > MOST_POINTS;
  }

  send(nowMs: number, { drift, performance, ...said }: Said): void {
    this.#sentMs = nowMs;
    const points = this.#points;
    this.#points = [];
    const seldom = this.#seldom(nowMs, drift, performance);
    this.#deps.outward.telemetry(telemetryBatch({ ...this.#deps, ...said, points, seldom, nowMs }));
    this.#deps.publish({ telemetry: points });
  }

  #seldom(nowMs: number, drift: Said['drift'], performance: Said['performance']): Seldom {
    if (Math.abs(nowMs - this.#seldomMs) < SELDOM_MS) return {};
    this.#seldomMs = nowMs;
    const [moved, watched] = [drift(), performance()];
    return { ...(watched && { performance: watched }), ...(moved && { drift: moved }) };
  }
}
