import { describe, expect, test } from 'vitest';
import { firstStage, type Judgement, judge } from '../../../models/rollout/judge.ts';
import { fractionOf, type KnownHost, type Progress, type RolloutPlan } from '../../../models/rollout/plan.ts';
import { advanced, begun, withState } from '../../../models/rollout/progress.ts';
import { alarms, HOUR_MS, many, T0, testHost, testPlan } from '../../support/rollout.ts';

const plan = testPlan();
const all = { mode: 'apply', stage: 3, fraction: 1 } as const;
const whole: Progress = begun(all, 7, T0);

/** Twice: the second time, the soak time has passed. */
function soaked(hosts: readonly KnownHost[], progress = whole, of: RolloutPlan = plan): Judgement {
  const first = judge(of, progress, hosts, T0 + HOUR_MS);
  return judge(of, first.progress, hosts, T0 + 3 * HOUR_MS);
}
const kind = (judgement: Judgement): string => judgement.decision.kind;

describe('the first stage', () => {
  const hosts = many(1000, (id) => testHost(id, 'none', 0));
  const ids = hosts.map(({ hostId }) => hostId);

  test('holds 20 hosts where 1 % is fewer, or all', () => {
    const first = firstStage(plan, hosts);
    const { figures } = judge(plan, begun(first, 1, T0), hosts, T0);
    expect(figures.cohort).toBe(20);
    expect(fractionOf(0.01, 20, 'seed', ids.slice(0, 20), ids.slice(0, 20))).toBe(1);
  });

  test('counts hosts that are there; where too few are, it does not reach for all', () => {
    const some = hosts.map((host, i) => (i % 10 === 0 ? host : { ...host, online: false }));
    const { figures } = judge(plan, begun(firstStage(plan, some), 1, T0), some, T0);
    expect(figures.cohort - figures.pending.offline).toBe(20);
    const few = hosts.map((host, i) => (i < 3 ? host : { ...host, online: false }));
    expect(firstStage(plan, few).fraction).toBeLessThan(0.05);
  });

  test('is every selected host in shadow', () => {
    expect(firstStage(testPlan({ mode: 'shadow' }), hosts)).toEqual({
      mode: 'shadow',
      stage: 0,
      fraction: 1,
    });
  });
});

describe('advancing', () => {
  const stage = { mode: 'apply', stage: 1, fraction: 0.1 } as const;
  const progress = begun(stage, 7, T0);

  test('takes all that are online to commit, and then the soak time', () => {
    const hosts = many(200, (id, i) => testHost(id, i === 199 ? 'shadow' : 'committed', 7));
    expect(kind(judge(plan, whole, hosts, T0))).toBe('wait');
    const done = many(200, (id) => testHost(id, 'committed', 7));
    const first = judge(plan, progress, done, T0);
    expect([kind(first), first.figures.soakLeftMs]).toEqual(['wait', HOUR_MS]);
    expect(kind(judge(plan, first.progress, done, T0 + HOUR_MS - 1))).toBe('wait');
    const { decision } = judge(plan, first.progress, done, T0 + HOUR_MS);
    expect(decision).toMatchObject({ kind: 'advance', stage: 2, fraction: 0.5, mode: 'apply' });
    expect(kind(soaked(done))).toBe('complete');
  });

  test('never counts hosts that are silent, offline, without a root or of an earlier stage', () => {
    const hosts = [
      testHost('committed', 'committed', 7),
      testHost('unseen', null, 0, { online: null }),
      testHost('offline', 'none', 6, { online: false }),
      testHost('unable', 'none', 0, { root: null }),
      testHost('behind', 'committed', 6),
    ];
    const { figures, decision } = soaked(hosts);
    expect(figures).toMatchObject({
      cohort: 5,
      committed: 1,
      executed: 1,
      pending: { all: 4, unseen: 1, offline: 1, unable: 1, working: 1, behind: 1 },
    });
    expect(decision.kind).toBe('wait');
    // Those who can't be reached hold up nobody.
    expect(kind(soaked(hosts.slice(0, 4)))).toBe('complete');
  });

  test('a host that failed under an earlier document of the same rollout has failed, of an earlier rollout not', () => {
    const later = advanced(plan, begun(stage, 7, T0), all, 8, T0);
    const one = (version: number) => judge(plan, later, [testHost('h', 'rejected', version)], T0).figures;
    expect(one(7).failed).toEqual([
      { host: 'lab/h', state: 'rejected', code: 'flat', message: 'it is flat' },
    ]);
    expect(one(6)).toMatchObject({ failed: [], pending: { all: 1 } });
    const before = judge(plan, later, [testHost('h', 'committed', 7)], T0).figures;
    expect(before).toMatchObject({ committed: 0, pending: { all: 1, behind: 1 } });
  });

  test('what failed once has failed, though its report is gone, until it commits', () => {
    const failed = judge(plan, whole, [testHost('h', 'rejected', 7)], T0).progress;
    for (const hosts of [[], [testHost('h', null, 0)], [testHost('h', 'offered', 7)]]) {
      expect(judge(plan, failed, hosts, T0).figures.failed).toHaveLength(1);
    }
    expect(judge(plan, failed, [testHost('h', 'committed', 7)], T0).figures.failed).toEqual([]);
  });

  test('only selected hosts count; whose labels are not known is told apart', () => {
    const labelled = testPlan({ select: { sites: ['lab'], labels: { role: 'db' }, ids: null } });
    const hosts = [
      testHost('db', 'committed', 7, { labels: { role: 'db' } }),
      testHost('web', 'none', 7, { labels: { role: 'web' } }),
      testHost('silent', null, 0),
    ];
    const { figures } = judge(labelled, whole, hosts, T0);
    expect(figures).toMatchObject({ known: 3, selected: 1, undetermined: 1, cohort: 1, committed: 1 });
  });

  test('paused, nothing goes on; what fails meanwhile still aborts', () => {
    const paused = withState(progress, 'paused');
    expect(
      kind(
        soaked(
          many(50, (id) => testHost(id, 'committed', 7)),
          paused,
        ),
      ),
    ).toBe('hold');
    expect(
      kind(
        soaked(
          many(500, (id) => testHost(id, 'rejected', 7)),
          paused,
        ),
      ),
    ).toBe('abort');
  });

  test('where the few that executed all failed, a person decides', () => {
    const { decision } = soaked(many(2, (id) => testHost(id, 'rejected', 7)));
    expect(decision.kind).toBe('hold');
    expect(decision.reasons.join()).toMatch(/all 2 that executed have failed/);
  });
});

describe('aborting', () => {
  const failing = (count: number, of: number) =>
    many(of, (id, i) => testHost(id, i < count ? 'rolled_back' : 'committed', 7));

  test('takes three failed hosts, and more than 2 % of those that executed', () => {
    expect(kind(soaked(failing(2, 10)))).toBe('complete');
    expect(kind(soaked(failing(3, 10)))).toBe('abort');
    expect(kind(soaked(failing(3, 150)))).toBe('complete');
    expect(kind(soaked(failing(4, 200)))).toBe('complete');
    const { decision } = soaked(failing(5, 200));
    expect(decision).toMatchObject({ kind: 'abort', reasons: ['5 of 200 hosts that executed have failed'] });
  });

  const stage = begun({ mode: 'apply', stage: 0, fraction: 0.1 }, 7, T0);
  const fleet = (inside: number, outside: number, loud = 200) => {
    const hosts = many(200, (id) => testHost(id, 'committed', 7));
    const { figures } = judge(plan, stage, hosts, T0);
    let left = Math.min(figures.cohort, loud);
    return hosts.map((host) => {
      const isIn = judge(plan, stage, [host], T0).figures.cohort === 1;
      const opened = isIn ? (left-- > 0 ? inside : 0) : outside;
      return testHost(host.hostId, isIn ? 'committed' : 'none', 7, alarms(opened, 10));
    });
  };

  test('takes over three times the alarms of the hosts outside', () => {
    expect(kind(soaked(fleet(1, 1), stage))).toBe('advance');
    expect(kind(soaked(fleet(3, 1), stage))).toBe('advance');
    const { decision, figures } = soaked(fleet(8, 1), stage);
    expect(decision.kind).toBe('abort');
    expect(decision.reasons.join()).toMatch(/over 3 times as often/);
    expect(figures.alarms.p).toBeLessThan(1e-3);
  });

  test('one alarm against none is chance, and one host that lies decides nothing', () => {
    expect(kind(soaked(fleet(1, 0, 1), stage))).toBe('advance');
    expect(kind(soaked(fleet(1e15, 0, 1), stage))).toBe('advance');
    expect(kind(soaked(fleet(2, 0), stage))).toBe('abort');
  });

  test('at the last stage, against those that were outside before', () => {
    const noisy = many(200, (id) => testHost(id, 'committed', 7, alarms(20)));
    expect(soaked(noisy).figures.alarms).toMatchObject({ control: null, exceeds: false });
    const before = { ...whole, control: { hosts: 100, alarms: 50, hours: 100 } };
    const { decision, figures } = soaked(noisy, before);
    expect([decision.kind, figures.alarms.earlier]).toEqual(['abort', true]);
  });
});

describe('the gate of shadow', () => {
  const shadowed = testPlan({
    mode: 'shadow',
    stages: [
      { share: 0.1, soakMs: 0 },
      { share: 1, soakMs: 0 },
    ],
  });
  const progress = begun({ mode: 'shadow', stage: 0, fraction: 1 }, 7, T0);
  const trial = (flagged: number, candidateAlarms: number, disagreements: number, rows = 1000) =>
    many(30, (id) =>
      testHost(id, 'shadow', 7, {
        figures: {
          rows,
          candidate: { flagged, alarms: candidateAlarms },
          current: { flagged: 5, alarms: 1 },
          notFinite: 0,
          flat: false,
          disagreements,
          allowedAlarms: 2,
          scoreMsP50: 0.1,
          scoreMsP95: 0.2,
        },
      }),
    );
  const tried = (hosts: KnownHost[]) => soaked(hosts, progress, shadowed);

  test('where it holds, the release is applied to the first stage by itself', () => {
    const { decision, figures } = tried(trial(5, 1, 2));
    expect(decision).toMatchObject({ kind: 'advance', mode: 'apply', stage: 0 });
    expect(figures.shadow).toMatchObject({ hosts: 30, rows: 30_000, verdict: 'holds', reasons: [] });
    expect(figures.shadow?.disagreements.share.high).toBeLessThan(0.003);
  });

  test('where it is undecided, it waits for more rows or a person; where it fails, the rollout is aborted', () => {
    expect(kind(tried(trial(5, 1, 2, 100)))).toBe('hold');
    expect(tried(trial(5, 1, 20)).figures.shadow?.verdict).toBe('undecided');
    expect(kind(tried(trial(5, 1, 30)))).toBe('abort');
    expect(kind(tried(trial(40, 1, 2)))).toBe('abort');
    expect(kind(tried(trial(5, 3, 2)))).toBe('hold');
    expect(kind(tried(trial(5, 9, 2)))).toBe('abort');
  });
});
