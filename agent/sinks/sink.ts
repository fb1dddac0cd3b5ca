import type { Acknowledgement } from '../../core/protocol/acknowledgement.ts';
import type { DriftTelemetry } from '../../core/protocol/drift.ts';
import type { StoredEvent } from '../../core/protocol/events.ts';
import type { SamplePoint } from '../../core/protocol/influx.ts';
import type { AgentIdentity } from '../../core/protocol/status.ts';
import type { PerformanceTelemetry, TelemetryHealth } from '../../core/protocol/telemetry.ts';
import type { MetricSchema } from '../../core/sample.ts';
import type { ControlListener } from '../central/channel.ts';

/** What became of one event of a batch. */
export type Settlement =
  /** The far side has it (PUBACK, write returned). */
  | { readonly outcome: 'delivered' }
  /** Not now: stays in the outbox, tried again after a backoff. */
  | {
      readonly outcome: 'retry';
      readonly reason: string;
      /** The far side said when; else the delivery's own backoff. */
      readonly afterMs?: number;
    }
  /** Never: refused for what it is. Set aside, counted, visible; it blocks nothing. */
  | { readonly outcome: 'poison'; readonly reason: string };

/** A batch of scores and health, never kept for redelivery. */
export interface Telemetry {
  readonly timeMs: number;
  /** JSON document, at most MAX_TELEMETRY_BYTES. */
  readonly payload: string;
  readonly health: TelemetryHealth;
  readonly drift?: DriftTelemetry;
  readonly performance?: PerformanceTelemetry;
}

/** Whom a sink speaks for. */
export interface SinkContext {
  readonly identity: AgentIdentity;
  readonly hostName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly schema: MetricSchema;
  /** What listens to the centre, and over which sink. */
  readonly control?: { readonly sink: string; readonly listener: ControlListener } | undefined;
}

export interface SinkStatus {
  readonly name: string;
  readonly kind: string;
  readonly connected: boolean;
  /** Where it delivers to, without credentials. */
  readonly target: string;
  readonly lastError: string | null;
  readonly connects: number;
  readonly counters: Readonly<Record<string, number>>;
}

/**
 * Sink: somewhere events go. Implementations: MQTT, InfluxDB, webhook, stdout.
 *
 * Contract:
 * - `start` returns at once; connecting goes on in the background, with the sink's own full-jitter backoff, for
 *   ever. It throws only for configuration that can never work (a SinkConfigurationError).
 * - The sink keeps no queue of its own. `deliver` is called only while `connected()`; one call at a time; it
 *   resolves to one settlement an event, in order, and never rejects. A lost connection settles what is open as
 *   `retry`.
 * - `onReady` is called (possibly often) whenever delivery may be worth trying: after each connect.
 * - Where `acknowledgedLater`, `delivered` means handed over: the far side's word comes by `onAcknowledged`, and an
 *   event may be handed over again until then.
 * - `deliverSamples`, where a sink has it, is to samples what `deliver` is to events; one call at a time, beside it.
 * - `telemetry` is fire and forget; it may drop, and counts what it drops.
 * - `close(deadlineMs)` stops within the deadline, and is idempotent. Nothing is called after it.
 */
export interface Sink {
  readonly name: string;
  readonly kind: string;
  readonly acknowledgedLater?: boolean;
  start(onReady: () => void, onAcknowledged?: (acknowledgement: Acknowledgement) => void): void;
  connected(): boolean;
  deliver(events: readonly StoredEvent[]): Promise<Settlement[]>;
  deliverSamples?(points: readonly SamplePoint[]): Promise<Settlement[]>;
  telemetry(batch: Telemetry): void;
  status(): SinkStatus;
  close(deadlineMs: number): Promise<void>;
}

export class SinkConfigurationError extends Error {
  override name = 'SinkConfigurationError';
}
