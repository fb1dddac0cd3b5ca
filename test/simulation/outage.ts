import { DEFAULT_BACKLOG_PER_SECOND } from '../../agent/delivery.ts';
import type { TombstoneData } from '../../agent/store/events-out.ts';
import { DEFAULT_STORE_LIMITS, type StoreLimits } from '../../agent/store/store.ts';
import { EVENT_TYPES, type StoredEvent } from '../../core/protocol/events.ts';
import { Ledger } from './ledger.ts';
import { World } from './world.ts';

const MINUTE_MS = 60_000;
const SMALL: StoreLimits = {
  ...DEFAULT_STORE_LIMITS,
  databaseMaxBytes: 8_000_000,
  outboxMaxBytesPerSink: 30_000,
};
/** A burst and one batch of new ones may share a second with the steady rate. */
const BURST = 8;

export interface OutageResult {
  readonly samples: number;
  readonly alerts: number;
  readonly databaseBytes: number;
  readonly databaseMaxBytes: number;
  readonly dropped: number;
  readonly toldDropped: number;
  readonly alertsLost: number;
  readonly backlog: number;
  readonly drainSeconds: number;
  readonly mostPerSecond: number;
  readonly limitPerSecond: number;
  readonly slowestNewAlertMs: number;
  readonly summarisedPoints: number;
  readonly violations: readonly string[];
}

/** Days without any sink, an hour of load in each; then all come back, and loads go on while the backlog drains. */
export async function runOutage(options: {
  readonly seed: number;
  readonly days: number;
  readonly small: boolean;
}): Promise<OutageResult> {
  const limits = options.small ? SMALL : DEFAULT_STORE_LIMITS;
  const ledger = new Ledger();
  const arrivedMs = new Map<string, number>();
  const world = new World({
    seed: options.seed,
    limits,
    onStored: (event) => stored.push(event),
    onEvent: (far, event, store) => {
      ledger.arrived(far, event, store);
      if (far.name === 'mqtt' && !arrivedMs.has(event.id)) arrivedMs.set(event.id, world.clock.nowMs());
    },
  });
  const stored: StoredEvent[] = [];
  const violations: string[] = [];
  const nothing = (): void => {};
  try {
    world.start();
    await world.run(30 * MINUTE_MS, nothing);
    for (const far of world.fars) far.change('down');
    let databaseBytes = 0;
    for (let hour = 0; hour < options.days * 24; hour++) {
      world.source.busy = true;
      await world.run(10 * MINUTE_MS, nothing);
      world.source.busy = false;
      await world.run(50 * MINUTE_MS, nothing);
      databaseBytes = Math.max(databaseBytes, world.process?.store.bytes() ?? 0);
    }
    const store = world.process?.store;
    if (store === undefined) throw new Error('no process');
    const before = [...stored];
    const { pending: backlog } = store.outbox('mqtt');
    const beginMs = world.clock.monotonicMs();
    const beginWallMs = world.clock.nowMs();
    for (const far of world.fars) far.change('up');
    // Reconnecting takes up to a minute; new incidents come while the backlog goes.
    let drainedMs = 0;
    for (let minute = 0; minute < 60; minute++) {
      world.source.busy = minute % 15 === 3;
      for (let part = 0; part < 12; part++) {
        await world.run(5000, nothing);
        if (drainedMs === 0 && store.outbox('mqtt').pending === 0) drainedMs = world.clock.monotonicMs();
      }
    }
    const after = stored.slice(before.length);
    const fresh = after.filter(
      ({ type, timeMs }) => type === EVENT_TYPES.incident && timeMs > beginWallMs + 2 * MINUTE_MS,
    );
    const delays = fresh.map(({ id, timeMs }) => (arrivedMs.get(id) ?? Number.POSITIVE_INFINITY) - timeMs);
    const [mqtt] = world.fars;
    const rates = [...(mqtt?.perSecond ?? [])]
      .filter(([second]) => second * 1000 >= beginMs)
      .map(([, n]) => n);
    for (const far of world.fars) ledger.complete(far, store, { pruned: options.small });
    const { dropped } = store.outbox('mqtt');
    const alerts = before.filter(({ type }) => type === EVENT_TYPES.incident);
    const alertsLost = alerts.filter(({ id }) => !arrivedMs.has(id)).length;
    const tombstones = store
      .events(0, 1_000_000)
      .filter(({ type }) => type === EVENT_TYPES.dropped)
      .map(({ data }) => JSON.parse(data) as TombstoneData)
      .filter(({ sink, reason }) => sink === 'mqtt' && reason === 'outbox-full');
    const toldDropped = tombstones.reduce((sum, { count }) => sum + count, 0);
    const summarised = [...(world.fars[2]?.points.values() ?? [])].filter((samples) => samples > 1);
    const result = {
      samples: world.samples,
      alerts: alerts.length,
      databaseBytes,
      databaseMaxBytes: limits.databaseMaxBytes,
      dropped,
      toldDropped,
      alertsLost,
      backlog,
      drainSeconds: (drainedMs - beginMs) / 1000,
      mostPerSecond: Math.max(...rates),
      limitPerSecond: DEFAULT_BACKLOG_PER_SECOND + BURST,
      slowestNewAlertMs: Math.max(...delays),
      summarisedPoints: summarised.length,
    };
    const expect = (holds: boolean, what: string): void => void (holds || violations.push(what));
    expect(databaseBytes <= limits.databaseMaxBytes, 'the database is over its cap');
    expect(options.small === dropped > 0, `${dropped} events dropped`);
    expect(toldDropped === dropped, 'not every drop was told');
    expect(alertsLost <= dropped, 'alerts were lost untold');
    expect(fresh.length >= 4, `only ${fresh.length} new alerts during the drain`);
    expect(result.slowestNewAlertMs < 2000, 'a new alert waited');
    expect(result.mostPerSecond <= result.limitPerSecond, 'too many messages a second');
    expect(drainedMs > 0, 'the backlog is not gone after an hour');
    expect(summarised.length > 0, 'old samples were not summarised');
    return { ...result, violations: [...violations, ...ledger.violations, ...world.errors.map(String)] };
  } finally {
    world.remove();
  }
}
