import type { StoreLimits } from '../../agent/store/store.ts';
import type { Random } from '../../core/random.ts';
import { Ledger } from './ledger.ts';
import { WEATHERS, type Weather } from './network.ts';
import { World } from './world.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const LIMITS: StoreLimits = {
  sampleRetentionMs: 2 * HOUR_MS,
  eventRetentionMs: 90 * 24 * HOUR_MS,
  databaseMaxBytes: 2_000_000,
  outboxMaxBytesPerSink: 60_000,
};
/** SQLite grows by pages, and retention runs once a minute. */
const DATABASE_SLACK_BYTES = 1_500_000;
const OUTBOX_SLACK_BYTES = 20_000;

export interface SeedResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly simulatedMs: number;
  readonly samples: number;
  readonly events: number;
  readonly duplicates: number;
  readonly tombstones: number;
  readonly epochs: number;
  readonly faults: Readonly<Record<string, number>>;
  /** What happened when, for a seed that fails. */
  readonly story: readonly string[];
}

/** One host over some hours in which everything goes wrong, and a calm end in which all must come right. */
export async function runSeed(seed: number, hours = 4): Promise<SeedResult> {
  const ledger = new Ledger();
  const world = new World({
    seed,
    limits: LIMITS,
    onEvent: (far, event, store) => ledger.arrived(far, event, store),
  });
  const faults: Record<string, number> = {};
  const story: string[] = [];
  const happen = (what: string): void => {
    const [kind = what] = what.split(':');
    faults[kind] = (faults[kind] ?? 0) + 1;
    story.push(`${(world.clock.monotonicMs() / 1000).toFixed(0)} s: ${what}`);
  };
  const check = (): void => {
    const store = world.process?.store;
    if (store === undefined || ledger.violations.length > 5) return;
    for (const { name } of world.fars) {
      const { bytes } = store.outbox(name);
      if (bytes > LIMITS.outboxMaxBytesPerSink + OUTBOX_SLACK_BYTES)
        ledger.violations.push(`outbox of ${bytes} bytes`);
    }
    if (store.bytes() > LIMITS.databaseMaxBytes + DATABASE_SLACK_BYTES) {
      ledger.violations.push(`database of ${store.bytes()} bytes`);
    }
  };
  try {
    world.start();
    await world.run(20 * MINUTE_MS, check);
    while (world.clock.monotonicMs() < hours * HOUR_MS) {
      happen(misfortune(world, ledger));
      await world.run(world.random.float() * 12 * MINUTE_MS, check);
    }
    calm(world);
    await world.run(90 * MINUTE_MS, check);
    const store = world.process?.store;
    if (store === undefined) throw new Error('no process at the end');
    for (const far of world.fars) {
      const { pending } = store.outbox(far.name);
      if (pending > 0)
        ledger.violations.push(`${far.name}: ${pending} still pending after an hour and a half of calm`);
      ledger.complete(far, store);
    }
    for (const error of world.errors)
      ledger.violations.push(`thrown: ${error instanceof Error ? error.stack : error}`);
  } catch (error) {
    ledger.violations.push(`thrown: ${error instanceof Error ? error.stack : error}`);
  } finally {
    world.remove();
  }
  return {
    seed,
    violations: ledger.violations,
    simulatedMs: world.clock.monotonicMs(),
    samples: world.samples,
    events: ledger.arrivals,
    duplicates: ledger.duplicates,
    tombstones: ledger.tombstones,
    epochs: world.epochReasons.filter((reason) => reason !== 'continued').length,
    faults,
    story,
  };
}

function restart(world: World, ledger: Ledger): void {
  world.start();
  if (world.process !== null) ledger.restarted(world.process.store);
}

const pick = <T>(random: Random, from: readonly T[]): T => from[random.uint32() % from.length] as T;

/** Something goes wrong, or right again. @returns what */
function misfortune(world: World, ledger: Ledger): string {
  const { random, source, disk } = world;
  const dice = random.float();
  if (dice < 0.3) {
    const far = pick(random, world.fars);
    const weather: Weather = pick(random, WEATHERS);
    far.change(weather);
    return `network:${far.name} ${weather}`;
  }
  if (dice < 0.45) {
    source.busy = !source.busy;
    return source.busy ? 'load' : 'load ends';
  }
  if (dice < 0.55) {
    source.fault = pick(random, ['none', 'throws', 'hangs', 'missing'] as const);
    return `source:${source.fault}`;
  }
  if (dice < 0.65) {
    const full = random.float() < 0.6;
    disk.setFull(full);
    return full ? 'disk full' : 'disk free';
  }
  if (dice < 0.72) {
    const ms = (random.float() - 0.5) * 2 * HOUR_MS;
    world.clock.step(ms);
    return `clock:${Math.round(ms / 1000)} s`;
  }
  if (dice < 0.82) {
    world.crash();
    restart(world, ledger);
    return 'kill -9';
  }
  if (dice < 0.92) {
    disk.setFull(false);
    const left = world.powerCut();
    restart(world, ledger);
    return `power cut:${left}`;
  }
  if (dice < 0.97) {
    world.stop();
    restart(world, ledger);
    return 'restart';
  }
  disk.setFull(false);
  world.crash();
  const damaged = disk.damage();
  world.start();
  return damaged ? 'damage' : 'kill -9';
}

function calm(world: World): void {
  world.disk.setFull(false);
  world.source.busy = false;
  world.source.fault = 'none';
  for (const far of world.fars) far.change('up');
}
