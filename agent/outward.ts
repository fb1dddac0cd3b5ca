import type { SinkConfig } from './config/config.ts';
import { Delivery, type DeliveryDependencies } from './delivery.ts';
import type { Log } from './log.ts';
import { SeriesDelivery, type SeriesDependencies, takesSamples } from './series.ts';
import { createSink } from './sinks/create.ts';
import type { Sink, SinkContext, Telemetry } from './sinks/sink.ts';
import type { Store } from './store/store.ts';

export type OutwardDependencies = DeliveryDependencies &
  SeriesDependencies & { readonly store: Store; readonly log: Log };

interface Lane {
  /** What the sink was made from: another text is another sink. */
  readonly made: string;
  readonly delivery: Delivery;
  readonly series: SeriesDelivery | null;
  started: boolean;
}

/** A sink that has gone from the configuration is given this long to take its leave. */
const LEAVE_MS = 2000;

/** Everything that leaves this host: one lane for each configured sink, replaced while the agent runs. */
export class Outward {
  readonly #deps: OutwardDependencies;
  #lanes: readonly Lane[];
  /** Told of each stored sample; must be quick. */
  follower: { stored(timeMs: number): void } | null = null;

  /** @param sinks those there are before any configuration is applied */
  constructor(deps: OutwardDependencies, sinks: readonly Sink[] = []) {
    this.#deps = { ...deps, wakeAll: () => this.wake() };
    this.#lanes = sinks.map((sink) => this.#lane(sink, ''));
  }

  get deliveries(): readonly Delivery[] {
    return this.#lanes.map(({ delivery }) => delivery);
  }

  get series(): readonly SeriesDelivery[] {
    return this.#lanes.flatMap(({ series }) => series ?? []);
  }

  /**
   * Takes over the sinks of a configuration; `start` sets the new ones going. Those that are the same as before are
   * left alone, whatever they are in the middle of; what waits for a sink that keeps its name waits on.
   * @throws SinkConfigurationError, with nothing changed
   */
  async replace(sinks: readonly SinkConfig[], context: SinkContext): Promise<void> {
    const before = this.#lanes;
    const lanes: Lane[] = [];
    for (const config of sinks) {
      const made = JSON.stringify([config, context.labels]);
      const same = before.find((lane) => lane.made === made);
      lanes.push(same ?? this.#lane(await createSink(config, context, this.#deps.log), made));
      if (same === undefined) this.#goOnCounting(lanes.at(-1) as Lane);
    }
    this.#deps.store.registerSinks(lanes.map(({ delivery }) => delivery.sink.name));
    const gone = before.filter((lane) => !lanes.includes(lane));
    this.#lanes = before.filter((lane) => lanes.includes(lane));
    // The old one first: two clients of one name would throw each other out.
    for (const { series } of gone) series?.close();
    await Promise.all(gone.map(({ delivery }) => delivery.close(LEAVE_MS)));
    this.#lanes = lanes;
  }

  /** What a sink of that name has delivered before its settings changed. */
  #goOnCounting({ delivery }: Lane): void {
    const before = this.#lanes.find((lane) => lane.delivery.sink.name === delivery.sink.name)?.delivery;
    delivery.delivered = before?.delivered ?? 0;
    delivery.poisoned = before?.poisoned ?? 0;
  }

  /** Sets those going that are not yet. */
  start(): void {
    for (const lane of this.#lanes) {
      if (lane.started) continue;
      lane.started = true;
      lane.delivery.start();
    }
  }

  #lane(sink: Sink, made: string): Lane {
    return {
      made,
      delivery: new Delivery(sink, this.#deps),
      series: takesSamples(sink) ? new SeriesDelivery(sink, this.#deps) : null,
      started: false,
    };
  }

  /** Events were stored. */
  wake(): void {
    for (const { delivery } of this.#lanes) delivery.wake();
  }

  sampleStored(timeMs: number): void {
    for (const { series } of this.#lanes) series?.stored(timeMs);
    this.follower?.stored(timeMs);
  }

  telemetry(batch: Telemetry): void {
    for (const { delivery, series } of this.#lanes) {
      delivery.sink.telemetry(batch);
      series?.wake();
    }
  }

  /** Events that some sink has yet to take, counted once for each. */
  pending(): number {
    return this.#lanes.reduce(
      (sum, { delivery }) => sum + this.#deps.store.outbox(delivery.sink.name).pending,
      0,
    );
  }

  /** Delivers what it can, then closes. @returns the sinks for which something is left */
  async finish(drainMs: number, closeMs: number): Promise<{ sink: string; pending: number }[]> {
    const left = await Promise.all(
      this.deliveries.map(async (delivery) => {
        const done = await delivery.drain(drainMs);
        const { pending } = this.#deps.store.outbox(delivery.sink.name);
        await delivery.close(closeMs);
        return done ? [] : [{ sink: delivery.sink.name, pending }];
      }),
    );
    return left.flat();
  }

  /** Sends the last samples, once. */
  async finishSeries(): Promise<void> {
    await Promise.all(this.series.map((one) => one.finish()));
  }

  /** Without another word: the store can't be asked any more. */
  async abandon(closeMs: number): Promise<void> {
    for (const one of this.series) one.close();
    await Promise.all(this.deliveries.map((delivery) => delivery.close(closeMs)));
  }
}
