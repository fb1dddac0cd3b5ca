import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { centralFrom } from '../../agent/central/start.ts';
import type { Log } from '../../agent/log.ts';
import { type AgentStatus, stateSentence } from '../../cli/commands/status.ts';
import { runToEnd } from '../../core/features.ts';
import { type Model, NEVER } from '../../core/model.ts';
import type { ReportedDocument } from '../../core/protocol/reported.ts';
import type { RolloutDocument } from '../../core/protocol/trust.ts';
import { TRAINING_DEFAULTS, type TrainingOptions, trainModel } from '../../core/train.ts';
import { RetainedBroker, TOPICS } from '../support/retained.ts';
import { validator } from '../support/schemas.ts';
import { busy, INTERVAL_MS, ScriptedAgent } from '../support/scripted-agent.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from '../support/series.ts';
import { referenceTo, signed, TestFleet, type TestRelease } from '../support/signed.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** A model that fits the scripted host; its thresholds are its own. */
function centralModel(seed: number, options: Partial<TrainingOptions> = {}): Model {
  const columns = smallSeries(3000, 5);
  const provenance = {
    ...PROVENANCE,
    name: 'host',
    version: String(seed),
    seed,
    trainedToMs: 3000 * INTERVAL_MS,
  };
  return runToEnd(
    trainModel(SMALL_SCHEMA, columns, { ...provenance, rows: 3000 }, { ...TRAINING_DEFAULTS, ...options }),
  );
}

const [one, two] = [centralModel(1), centralModel(2)];
/** Of several chunks. */
const large = centralModel(3, { forest: { trees: 30, rowsPerTree: 256, maxDepth: 8 } });

/** It cries wolf: any score is over its thresholds. */
const nervous = (model: Model): Model => ({
  ...model,
  thresholds: {
    ...model.thresholds,
    surprise: { info: 1e-9, warning: 1e-9, critical: 1e-9, provisional: false },
    forest: { info: 1e-9, warning: 1e-9, critical: 1e-9, provisional: false },
  },
});

/** Every swing alarms. */
const touchy = (model: Model): Model => ({
  ...model,
  thresholds: {
    ...model.thresholds,
    surprise: { info: 0.35, warning: 1e9, critical: 1e9, provisional: false },
    forest: { info: 1e9, warning: 1e9, critical: 1e9, provisional: false },
  },
});

/** A little more than usual: nothing that the host's own model would tell of. */
const restless = (values: Float64Array): void => {
  values[0] = (values[0] as number) + 25;
};

class CentralScript {
  readonly fleet: TestFleet;
  readonly broker = new RetainedBroker();
  readonly it: ScriptedAgent;
  readonly stateDir = temporaryDirectory();

  constructor() {
    this.fleet = new TestFleet(1_700_000_000_000);
    const root = join(this.stateDir, 'root.json');
    writeFileSync(root, this.fleet.root);
    const config = { root, rootSha256: this.fleet.pin, model: 'host', sink: 'mqtt' };
    this.it = new ScriptedAgent(this.stateDir, {
      central: (stateDir: string, log: Log) => centralFrom(config, stateDir, log),
    });
  }

  /** A host with a model of its own, listening. */
  begin(): void {
    this.it.learn();
    this.it.samples(600);
    this.connect();
  }

  connect(): void {
    this.it.agent.central?.ready(this.broker);
    this.deliver();
  }

  deliver(): void {
    while (this.broker.deliver(this.it.agent.central) > 0);
  }

  rollout(version: number, release: TestRelease, change: Partial<RolloutDocument> = {}): void {
    this.fleet.nowMs = this.it.nowMs;
    this.broker.putRelease(release);
    const document = this.fleet.rollout(version, release, change);
    this.broker.put(TOPICS.rollout('host'), signed(document, this.fleet.operatorKey));
    this.deliver();
  }

  /** A sample, what the broker has for it, and all background work. */
  go(samples = 1, change?: (values: Float64Array) => void): void {
    for (let i = 0; i < samples; i++) {
      this.it.sample(change);
      this.deliver();
      this.it.runFit();
    }
  }

  get reported(): ReportedDocument {
    const reported = this.it.agent.central?.reported();
    if (reported === undefined) throw new Error('no centre');
    return reported;
  }

  states(): string[] {
    return this.it.logs('central.state').map(({ state }) => String(state));
  }

  restart(): void {
    this.it.restart(INTERVAL_MS);
    this.connect();
  }
}

describe('a release on its way into a host', () => {
  test('is fetched, verified, tried on history and live, and watches; every step is reported', () => {
    const script = new CentralScript();
    script.begin();
    expect(script.reported).toMatchObject({
      root: 1,
      state: 'none',
      rollout: null,
      running: { slot: 'current' },
    });
    const release = script.fleet.release(one, 1);
    script.rollout(1, release);
    script.go(2);
    expect(script.reported).toMatchObject({ state: 'probation', running: { slot: 'current' } });
    expect(script.reported.figures?.rows).toBeGreaterThan(0);
    const own = script.reported.slots.current;
    script.go(14);
    expect(script.states()).toEqual(['offered', 'fetching', 'verified', 'shadow', 'probation', 'committed']);
    expect(script.reported).toMatchObject({
      state: 'committed',
      desired: { version: 1 },
      release: { version: 1, artifactSha256: release.document.artifact.sha256 },
      running: { slot: 'central', sha256: release.document.artifact.sha256, name: 'host' },
      slots: { central: release.document.artifact.sha256, current: own },
      error: null,
      refused: {},
    });
    expect(validator('reported')(script.reported)).toEqual([]);
    for (const { topic, document, retain } of script.broker.published) {
      expect([topic, retain]).toEqual(['edgewood/1/default/a/host/reported', true]);
      expect(validator('reported')(document)).toEqual([]);
    }
    const [event] = script.it.events('edgewood.release');
    const data = JSON.parse(event?.data ?? 'null') as object;
    expect(data).toMatchObject({ state: 'committed', sentence: 'Release host 1 watches this host.' });
    expect(validator('release-event')(data)).toEqual([]);
    // After a restart it watches from the first sample on.
    script.restart();
    script.go(1);
    expect(script.reported).toMatchObject({ state: 'committed', running: { slot: 'central' } });
    expect(Number.isFinite(script.it.agent.status().score)).toBe(true);
  });

  test('is run, and nothing is learned beside it', () => {
    const script = new CentralScript();
    script.begin();
    script.rollout(1, script.fleet.release(one, 1));
    script.go(20);
    const { fits } = script.it.agent.counters;
    script.it.agent.night();
    script.it.sample(undefined, 25 * 3_600_000);
    expect(script.it.runFit()).toBe(0);
    script.go(100);
    expect(script.it.agent.counters.fits).toBe(fits);
    expect(stateSentence(script.it.agent.status() as AgentStatus)).toBe('Watching; model from the centre.');
    script.go(3, busy);
    const alert = script.it.events('edgewood.incident').at(-1);
    expect(JSON.parse(alert?.data ?? 'null')).toMatchObject({ model: { name: 'host', alias: 'production' } });
  });

  test('that was calibrated for this host runs under its thresholds', () => {
    const alertsUnder = (host: string): number => {
      const script = new CentralScript();
      script.begin();
      const never = { info: NEVER, warning: NEVER, critical: NEVER, provisional: false };
      const thresholds = { ...one.thresholds, surprise: never, forest: never };
      script.rollout(1, script.fleet.release({ ...one, hosts: [{ host, rows: 1, thresholds }] }, 1));
      script.go(20);
      expect(script.reported.state).toBe('committed');
      const before = script.it.events('edgewood.incident').length;
      script.go(3, busy);
      return script.it.events('edgewood.incident').length - before;
    };
    expect(alertsUnder('another')).toBeGreaterThan(0);
    expect(alertsUnder('host')).toBe(0);
  });

  test('no sample is missed at the switch, and each is judged once', () => {
    const script = new CentralScript();
    script.begin();
    const before = { ...script.it.agent.counters };
    script.rollout(1, script.fleet.release(one, 1));
    script.go(40);
    expect(script.reported.state).toBe('committed');
    expect(script.it.agent.counters.samples - before.samples).toBe(40);
    expect(script.it.agent.counters.judged - before.judged).toBe(40);
  });

  test('waits for its own moment', () => {
    const script = new CentralScript();
    script.begin();
    script.rollout(1, script.fleet.release(one, 1), { jitterMs: 3_600_000 });
    script.go(3);
    expect(script.reported.state).toBe('offered');
    expect(script.broker.chunksAsked()).toBe(0);
  });

  test('is not begun while the rollout is paused', () => {
    const script = new CentralScript();
    script.begin();
    const release = script.fleet.release(one, 1);
    script.rollout(1, release, { state: 'paused' });
    script.go(3);
    expect(script.reported.state).toBe('offered');
    script.rollout(2, release);
    script.go(20);
    expect(script.reported.state).toBe('committed');
  });

  test('comes in any order, over restarts, and what was there is not fetched again', () => {
    const script = new CentralScript();
    script.begin();
    const release = script.fleet.release(large, 1);
    expect(release.chunks.length).toBeGreaterThan(2);
    script.rollout(1, release);
    script.it.sample();
    script.broker.deliver(script.it.agent.central, 1);
    script.broker.reverse();
    script.broker.deliver(script.it.agent.central, 2);
    expect(script.reported.state).toBe('fetching');
    script.broker.asked.clear();
    script.restart();
    expect(script.broker.chunksAsked()).toBe(release.chunks.length - 2);
    script.go(20);
    expect(script.reported.state).toBe('committed');
  });

  test('that alarms too often on the history of this host is refused, and never tried again', () => {
    const script = new CentralScript();
    script.begin();
    const bad = script.fleet.release(nervous(one), 1);
    script.rollout(1, bad);
    script.go(20);
    expect(script.reported).toMatchObject({
      state: 'rejected',
      error: { code: 'worse' },
      running: { slot: 'current' },
      slots: { central: null },
    });
    script.broker.asked.clear();
    script.rollout(2, bad);
    script.go(5);
    expect(script.reported).toMatchObject({
      state: 'rejected',
      error: { code: 'worse' },
      rollout: { version: 2 },
    });
    expect(script.broker.chunksAsked()).toBe(0);
  });

  test('with metrics that this host does not measure is refused by name', () => {
    const script = new CentralScript();
    script.begin();
    const schema = SMALL_SCHEMA.map((metric) =>
      metric.name === 'swap' ? { ...metric, name: 'gpu' } : metric,
    );
    script.rollout(1, script.fleet.release({ ...one, schema }, 1));
    script.go(5);
    expect(script.reported).toMatchObject({
      state: 'rejected',
      error: { code: 'schema', message: 'it watches gpu (percent), which this host does not measure' },
    });
  });

  test('with a metric whose unit training could not tell is taken; in another unit it is refused', () => {
    const inUnit = (unit: 'value' | 'perSecond'): ReportedDocument => {
      const script = new CentralScript();
      script.begin();
      const schema = SMALL_SCHEMA.map((metric) => (metric.name === 'swap' ? { ...metric, unit } : metric));
      script.rollout(1, script.fleet.release({ ...one, schema }, 1));
      script.go(20);
      return script.reported;
    };
    expect(inUnit('value').state).toBe('committed');
    expect(inUnit('perSecond')).toMatchObject({ state: 'rejected', error: { code: 'schema' } });
  });

  test.each([
    ['a newer agent', { minimumAgent: '99.0.0' }, 'agent'],
    ['other scores here', { golden: [{ values: [1, 2, 3, 4], score: 0.5 }] }, 'golden'],
    [
      'a time limit below what it takes',
      { limits: { scoreMs: 0, memoryBytes: 1e9, flagShare: 0.05 } },
      'worse',
    ],
  ])('that needs %s is refused', (_, change, code) => {
    const script = new CentralScript();
    script.begin();
    script.rollout(1, script.fleet.release(one, 1, change));
    script.go(5);
    expect(script.reported).toMatchObject({
      state: 'rejected',
      error: { code },
      running: { slot: 'current' },
    });
  });

  test('is not begun, nor switched to, once the rollout has run out; a newer one goes on', () => {
    const script = new CentralScript();
    script.begin();
    const release = script.fleet.release(one, 1);
    const gate = { shadowRows: 500, probationMs: 3_600_000, watchdogMs: 0, timeoutMs: 60 * 86_400_000 };
    const expiresAt = new Date(script.it.nowMs + 1_800_000).toISOString();
    script.rollout(1, release, { gate, expiresAt });
    script.go(3);
    expect(script.reported.state).toBe('probation');
    script.go(800);
    expect(script.reported.state).toBe('probation');
    script.rollout(2, release, { gate });
    script.go(3);
    expect(script.reported.state).toBe('committed');
  });

  test('stays vouched for, however many others were verified and refused since', () => {
    const script = new CentralScript();
    script.begin();
    const first = script.fleet.release(one, 1);
    script.rollout(1, first);
    script.go(20);
    for (let version = 2; version <= 12; version++) {
      const bad = script.fleet.release(
        nervous({ ...two, provenance: { ...two.provenance, seed: version } }),
        version,
      );
      script.rollout(version, bad, { baseline: referenceTo(first) });
      script.go(3);
      expect(script.reported).toMatchObject({ state: 'rejected', release: { version } });
    }
    script.restart();
    script.go(1);
    expect(script.reported.running?.sha256).toBe(first.document.artifact.sha256);
  });

  test('on a full disk nothing is switched and no command carried out; with room again, all is', async () => {
    const script = new CentralScript();
    script.begin();
    const release = script.fleet.release(one, 1);
    script.rollout(1, release);
    script.go(3);
    expect(script.reported.state).toBe('probation');
    // A folder in the place of the file that is written first.
    const blocked = join(script.stateDir, 'models', 'central.json.tmp');
    mkdirSync(blocked);
    script.go(20);
    expect(script.reported).toMatchObject({ state: 'probation', running: { slot: 'current' } });
    script.fleet.nowMs = script.it.nowMs;
    const snooze = script.fleet.command('snooze', 'c9', { arguments: { ms: 60_000 } });
    script.it.agent.central?.command('snooze', signed(snooze, script.fleet.operatorKey));
    await new Promise((resolve) => setImmediate(resolve));
    expect(script.broker.published.at(-1)?.document).toMatchObject({ commandId: 'c9', ok: false });
    rmSync(blocked, { recursive: true, force: true });
    script.go(3);
    expect(script.reported.state).toBe('committed');
  });

  test('that does not come in time is given up, and may be tried again', () => {
    const script = new CentralScript();
    script.begin();
    const release = script.fleet.release(one, 1);
    const gate = { shadowRows: 500, probationMs: 60_000, watchdogMs: 0, timeoutMs: 60_000 };
    script.rollout(1, release, { gate });
    for (const topic of script.broker.retained.keys())
      if (topic.includes('/b/')) script.broker.retained.delete(topic);
    script.go(20);
    expect(script.reported).toMatchObject({ state: 'timed_out', error: { code: 'timedOut' } });
    script.rollout(2, release);
    script.go(20);
    expect(script.reported.state).toBe('committed');
  });

  test('that alarms beyond its budget after the switch is taken back by itself, and never tried again', () => {
    const script = new CentralScript();
    script.begin();
    const limits = { scoreMs: 50, memoryBytes: 1e9, flagShare: 1 };
    const release = script.fleet.release(touchy(one), 1, { limits });
    const gate = { shadowRows: 0, probationMs: 0, watchdogMs: 86_400_000, timeoutMs: 86_400_000 };
    script.rollout(1, release, { gate });
    script.go(3);
    expect(script.reported.state).toBe('committed');
    const own = script.reported.slots.current;
    for (let i = 0; i < 12; i++) {
      script.go(4, restless);
      script.go(40);
    }
    expect(script.reported).toMatchObject({
      state: 'rolled_back',
      error: {
        code: 'alarms',
        message: expect.stringMatching(/^\d+ incidents since the switch, the budget allows 2/),
      },
      running: { slot: 'current', sha256: own },
      slots: { central: null },
    });
    script.rollout(2, release, { gate });
    script.go(3);
    expect(script.reported).toMatchObject({ state: 'rolled_back', error: { code: 'alarms' } });
  });
});

test('what a host has learned itself is told of, too, within a minute', () => {
  const script = new CentralScript();
  script.it.agent.start();
  script.connect();
  script.go(250);
  expect(script.reported.running).toMatchObject({ slot: 'current' });
  expect(script.broker.published.at(-1)?.document).toMatchObject({ running: { slot: 'current' } });
});

describe('an abort', () => {
  test('brings every host back to the release before, or to what it learned itself', () => {
    const script = new CentralScript();
    script.begin();
    const [first, second] = [script.fleet.release(one, 1), script.fleet.release(two, 2)];
    script.rollout(1, first);
    script.go(20);
    script.rollout(2, second, { baseline: referenceTo(first) });
    script.go(20);
    expect(script.reported).toMatchObject({ state: 'committed', release: { version: 2 } });
    script.rollout(3, second, { baseline: referenceTo(first), state: 'aborted' });
    expect(script.reported).toMatchObject({
      state: 'rolled_back',
      release: { version: 2 },
      running: { slot: 'central', sha256: first.document.artifact.sha256 },
    });
    expect(script.broker.published.at(-1)?.document).toMatchObject({
      state: 'rolled_back',
      running: { sha256: first.document.artifact.sha256 },
    });
    script.restart();
    script.go(2);
    expect(script.reported.running?.sha256).toBe(first.document.artifact.sha256);
    script.rollout(4, first, { state: 'aborted' });
    expect(script.reported.running).toMatchObject({ slot: 'current' });
    expect(script.reported.slots).toMatchObject({ central: null, centralPrevious: null });
  });

  test('ends what is under way', () => {
    const script = new CentralScript();
    script.begin();
    const release = script.fleet.release(one, 1);
    script.rollout(1, release);
    script.go(2);
    expect(script.reported.state).toBe('probation');
    script.rollout(2, release, { state: 'aborted' });
    script.go(20);
    expect(script.reported).toMatchObject({ state: 'rolled_back', running: { slot: 'current' } });
  });

  test('a week offline changes nothing of it', () => {
    const script = new CentralScript();
    script.begin();
    const [first, second] = [script.fleet.release(one, 1), script.fleet.release(two, 2)];
    script.rollout(1, first);
    script.go(20);
    script.it.agent.central?.lost();
    script.it.restart(7 * 86_400_000);
    script.rollout(2, second, { baseline: referenceTo(first) });
    script.rollout(3, second, { baseline: referenceTo(first), state: 'aborted' });
    script.rollout(4, second, { baseline: referenceTo(first) });
    script.connect();
    script.go(20);
    expect(script.reported).toMatchObject({
      state: 'committed',
      release: { version: 2 },
      rollout: { version: 4 },
    });
  });
});

describe('a trial', () => {
  test('runs beside the model that watches, reports, and never takes its place', () => {
    const script = new CentralScript();
    script.begin();
    const release = script.fleet.release(one, 1);
    script.rollout(1, release, { mode: 'shadow' });
    script.go(60);
    expect(script.reported).toMatchObject({ state: 'shadow', running: { slot: 'current' } });
    expect(script.reported.figures?.rows).toBeGreaterThan(50);
    script.broker.asked.clear();
    script.rollout(2, release, { mode: 'apply' });
    script.go(20);
    expect(script.reported.state).toBe('committed');
    expect(script.broker.chunksAsked()).toBe(0);
  });
});

describe('what is not believed', () => {
  const refusedAs = (script: CentralScript, reason: string): void => {
    expect(script.reported.refused[reason]).toBeGreaterThan(0);
    expect(script.reported.running).toMatchObject({ slot: 'current' });
    expect(script.reported.rollout).toBeNull();
  };

  test('a rollout that is unsigned, another fleet’s, emptied or noise changes nothing and is counted', () => {
    const script = new CentralScript();
    script.begin();
    const release = script.fleet.release(one, 1);
    script.broker.putRelease(release);
    const topic = TOPICS.rollout('host');
    const document = script.fleet.rollout(1, release);
    script.broker.put(topic, signed(document));
    script.broker.put(topic, signed({ ...document, fleet: 'another' }, script.fleet.operatorKey));
    script.broker.put(topic, Buffer.alloc(0));
    script.broker.put(topic, Buffer.from('{"a":1,"a":2}'));
    script.go(3);
    for (const reason of ['tooFewSignatures', 'otherFleet', 'notAnEnvelope']) refusedAs(script, reason);
  });

  test('what it was fills no log, however long it is', () => {
    const script = new CentralScript();
    script.begin();
    const member = JSON.stringify('x'.repeat(100_000));
    script.broker.put(TOPICS.rollout('host'), Buffer.from(`{${member}:1}`));
    script.deliver();
    const [line] = script.it.logs('central.refused');
    expect(line).toMatchObject({ reason: 'notAnEnvelope' });
    expect(JSON.stringify(line).length).toBeLessThan(500);
  });

  test('a wrong chunk is refused, and the right one still taken', () => {
    const script = new CentralScript();
    script.begin();
    const release = script.fleet.release(one, 1);
    script.rollout(1, release);
    const topic = TOPICS.chunk(release.document.artifact.sha256, 0);
    script.broker.put(topic, Buffer.alloc(65_536, 7));
    script.go(3);
    expect(script.reported).toMatchObject({ state: 'fetching' });
    expect(script.reported.refused).toHaveProperty('otherChunk');
    script.broker.put(topic, release.chunks[0] as Buffer);
    script.go(20);
    expect(script.reported.state).toBe('committed');
  });

  test('without the root of the installation nothing of the centre is taken, and that is said', () => {
    const stateDir = temporaryDirectory();
    const logged: string[] = [];
    const log: Log = (level, event) => void logged.push(`${level} ${event}`);
    const config = {
      root: join(stateDir, 'root.json'),
      rootSha256: '0'.repeat(64),
      model: 'host',
      sink: 'mqtt',
    };
    expect(centralFrom(config, stateDir, log)).toBeNull();
    writeFileSync(config.root, new TestFleet(0).root);
    expect(centralFrom(config, stateDir, log)).toBeNull();
    expect(logged).toEqual(['error central.unavailable', 'error central.unavailable']);
  });

  test('what was revoked stops watching at once', () => {
    const script = new CentralScript();
    script.begin();
    const release = script.fleet.release(one, 1);
    script.rollout(1, release);
    script.go(20);
    const next = script.fleet.rootOf(2, { revoked: [release.document.artifact.sha256] });
    script.broker.put(TOPICS.root(2), signed(next, script.fleet.rootKey));
    script.deliver();
    expect(script.reported).toMatchObject({
      root: 2,
      state: 'rolled_back',
      error: { code: 'revoked' },
      running: { slot: 'current' },
    });
    script.restart();
    expect(script.reported).toMatchObject({ root: 2, running: { slot: 'current' } });
  });

  test('damaged memory is none, and said; a central model without it does not run', () => {
    const script = new CentralScript();
    script.begin();
    script.rollout(1, script.fleet.release(one, 1));
    script.go(20);
    const path = join(script.stateDir, 'models', 'central.json');
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 200));
    script.it.restart(INTERVAL_MS);
    expect(script.it.logs('central.fault')).not.toHaveLength(0);
    expect(script.reported.running).toMatchObject({ slot: 'current' });
    script.connect();
    script.go(20);
    expect(script.reported.state).toBe('committed');
  });
});

describe('a command', () => {
  const answers = (script: CentralScript): Record<string, unknown>[] =>
    script.broker.published.filter(({ topic }) => topic.includes('/reply/')).map(({ document }) => document);

  test('is carried out once, and answered on its own topic', async () => {
    const script = new CentralScript();
    script.begin();
    script.fleet.nowMs = script.it.nowMs;
    const about = { from: '2020-01-01T00:00:00Z', to: '2030-01-01T00:00:00Z', limit: 700 };
    const envelope = signed(
      script.fleet.command('send-samples', 'c1', { arguments: about }),
      script.fleet.operatorKey,
    );
    script.it.agent.central?.command('send-samples', envelope);
    script.it.agent.central?.command('send-samples', envelope);
    // The loop runs between two parts.
    expect(answers(script)).toEqual([]);
    for (let turn = 0; turn < 100; turn++) {
      script.it.runFit();
      await new Promise((resolve) => setImmediate(resolve));
    }
    script.restart();
    script.it.agent.central?.command('send-samples', envelope);
    await new Promise((resolve) => setImmediate(resolve));
    const parts = answers(script) as { ok: boolean; parts: number; result: { rows: unknown[] } }[];
    expect(parts.length).toBe(parts[0]?.parts);
    expect(parts.every(({ ok }) => ok)).toBe(true);
    expect(parts.flatMap(({ result }) => result.rows)).toHaveLength(700);
    expect(script.reported.refused).toMatchObject({ replayed: 1 });
  });

  test('to another host, with another name, or by whom it is not for, is not', () => {
    const script = new CentralScript();
    script.begin();
    script.fleet.nowMs = script.it.nowMs;
    const { central } = script.it.agent;
    const { operatorKey, releaseKey } = script.fleet;
    central?.command('snooze', signed(script.fleet.command('snooze', 'a', { hostId: 'other' }), operatorKey));
    central?.command('verdict', signed(script.fleet.command('snooze', 'b'), operatorKey));
    central?.command('snooze', signed(script.fleet.command('snooze', 'c'), releaseKey));
    expect(script.reported.refused).toEqual({ otherHost: 1, unknownCommand: 1, tooFewSignatures: 1 });
    expect(answers(script)).toEqual([]);
  });
});
