import fc from 'fast-check';
import { expect, test } from 'vitest';
import { INSTALL_STATES, type InstallState } from '../../../core/protocol/install-states.ts';
import { inCohort } from '../../../models/rollout/figures.ts';
import { firstStage, type Judgement, judge } from '../../../models/rollout/judge.ts';
import { type KnownHost, type Progress, planFault } from '../../../models/rollout/plan.ts';
import { advanced, begun, documentFor } from '../../../models/rollout/progress.ts';
import { seal } from '../../../models/trust/envelope.ts';
import { alarms, HOUR_MS, T0, testHost, testPlan } from '../../support/rollout.ts';

const FAILED: readonly (InstallState | null)[] = ['rejected', 'rolled_back', 'timed_out'];
const VERSION = 7;

interface Drawn {
  readonly state: InstallState | null;
  readonly version: number;
  readonly online: boolean | null;
  readonly opened: number;
  readonly hours: number;
}
const drawn: fc.Arbitrary<Drawn> = fc.record({
  state: fc.oneof(
    { weight: 6, arbitrary: fc.constant<InstallState | null>('committed') },
    { weight: 1, arbitrary: fc.constantFrom<InstallState | null>(...INSTALL_STATES, null) },
  ),
  version: fc.oneof({ weight: 4, arbitrary: fc.constant(VERSION) }, { weight: 1, arbitrary: fc.nat(9) }),
  online: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constantFrom(true, false, null)),
  opened: fc.nat(3),
  hours: fc.integer({ min: 0, max: 9 }),
});
const fleet = fc.array(drawn, { maxLength: 120 });
const fraction = fc.constantFrom(0.05, 0.3, 1);

const hostsOf = (fleet: readonly Drawn[]): KnownHost[] =>
  fleet.map(({ state, version, online, opened, hours }, i) =>
    testHost(`h${i}`, state, version, { online, ...alarms(opened, hours) }),
  );

const plan = testPlan();
/** Its second stage: reports of the first are of this rollout, and too old. */
const at = (share: number): Progress => ({
  ...begun({ mode: 'apply', stage: share === 1 ? 3 : 0, fraction: share }, VERSION, T0),
  firstVersion: VERSION - 1,
});

/** After the soak time, if there is anything to soak. */
function judged(hosts: readonly KnownHost[], share: number): Judgement {
  const { progress } = judge(plan, at(share), hosts, T0);
  return judge(plan, progress, hosts, T0 + 48 * HOUR_MS);
}
const goesOn = ({ decision }: Judgement): boolean =>
  decision.kind === 'advance' || decision.kind === 'complete';

test('without alarms, fewer than three failed hosts never abort', () => {
  fc.assert(
    fc.property(fleet, fraction, (drawn, share) => {
      const { decision, figures } = judged(hostsOf(drawn.map((one) => ({ ...one, opened: 0 }))), share);
      if (decision.kind === 'abort') expect(figures.failed.length).toBeGreaterThanOrEqual(3);
    }),
  );
});

test('nothing goes on with more failed hosts than the limits allow', () => {
  fc.assert(
    fc.property(fleet, fraction, (drawn, share) => {
      const result = judged(hostsOf(drawn), share);
      const { failed, executed } = result.figures;
      const over = failed.length >= 3 && failed.length / executed > 0.02;
      if (over) expect(result.decision.kind).toBe('abort');
      if (goesOn(result)) expect(result.figures.committed).toBeGreaterThan(0);
    }),
  );
});

test('a host that fails instead never turns an abort into anything else, nor a wait into going on', () => {
  fc.assert(
    fc.property(fleet, fraction, fc.nat(), (drawn, share, which) => {
      if (drawn.length === 0) return;
      const quiet = drawn.map((one) => ({ ...one, opened: 0 }));
      const worse = quiet.map((one, i) =>
        i === which % quiet.length ? { ...one, state: 'rejected' as const, version: VERSION } : one,
      );
      const [before, after] = [judged(hostsOf(quiet), share), judged(hostsOf(worse), share)];
      if (before.decision.kind === 'abort') expect(after.decision.kind).toBe('abort');
    }),
  );
});

test('hosts that were never seen, or not since, are pending and never successes', () => {
  fc.assert(
    fc.property(fleet, fraction, (drawn, share) => {
      const hosts = hostsOf(drawn);
      const { figures } = judged(hosts, share);
      const current = hosts.filter(
        ({ hostId, reported }) =>
          reported?.state === 'committed' &&
          (reported.rollout?.version ?? 0) >= VERSION &&
          inCohort(plan.seed, share, hostId),
      );
      expect(figures.committed).toBe(current.length);
      expect(figures.committed + figures.failed.length + figures.pending.all).toBe(figures.cohort);
      const { all, unseen, offline, unable, working } = figures.pending;
      expect(unseen + offline + unable + working).toBe(all);
      expect(figures.executed).toBe(figures.committed + figures.failed.length);
    }),
  );
});

test('a host of a smaller stage is one of every larger stage', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.string(), fc.string(), share, share, (seed, hostId, a, b) => {
      if (inCohort(seed, Math.min(a, b), hostId)) expect(inCohort(seed, Math.max(a, b), hostId)).toBe(true);
    }),
  );
});

test('the same fleet in another order, and a state that went through a file, make the same judgement', () => {
  fc.assert(
    fc.property(fleet, fraction, (drawn, share) => {
      const hosts = hostsOf(drawn);
      const first = judged(hosts, share);
      expect(JSON.parse(JSON.stringify(first.progress))).toEqual(first.progress);
      const through = JSON.parse(JSON.stringify(first.progress)) as Progress;
      const [again, other] = [first.progress, through].map((progress, i) =>
        judge(plan, progress, i === 0 ? hosts : hosts.toReversed(), T0 + 50 * HOUR_MS),
      );
      expect(other).toEqual(again);
    }),
  );
});

/** A whole rollout over a fleet of which each host goes its own way. */
test('from stage to stage: only larger, each document newer and valid, to 100 % or an abort', () => {
  const fate = fc.constantFrom<InstallState | null>('committed', 'committed', 'committed', 'rejected', null);
  const fates = fc.array(fate, { minLength: 1, maxLength: 150 });
  const shares = fc.uniqueArray(fc.constantFrom(0.01, 0.1, 0.25, 0.5), { maxLength: 3 });
  fc.assert(
    fc.property(fates, shares, (fates, some) => {
      const stages = [...some.sort((a, b) => a - b), 1].map((share) => ({ share, soakMs: HOUR_MS }));
      const own = testPlan({ stages });
      expect(planFault(own)).toBeNull();
      const ids = fates.map((_, i) => `h${i}`);
      let nowMs = T0;
      let version = 3;
      const hostsAt = (share: number): KnownHost[] =>
        ids.map((id, i) =>
          testHost(id, inCohort(own.seed, share, id) ? (fates[i] as InstallState | null) : 'none', version),
        );
      let progress = begun(firstStage(own, hostsAt(0)), version, nowMs);
      for (let step = 0; step < 20; step++) {
        expect(seal(documentFor(own, progress, version, nowMs)).payload).not.toBe('');
        const hosts = hostsAt(progress.fraction);
        const result = judge(own, progress, hosts, nowMs);
        progress = JSON.parse(JSON.stringify(result.progress)) as Progress;
        const { decision } = result;
        if (decision.kind === 'advance') {
          expect(decision.fraction).toBeGreaterThan(progress.fraction);
          progress = advanced(own, progress, decision, ++version, nowMs);
        } else if (decision.kind !== 'wait') {
          const failing = fates.filter((one) => FAILED.includes(one)).length;
          if (decision.kind === 'abort') expect(failing).toBeGreaterThanOrEqual(3);
          if (decision.kind === 'complete') expect(progress.fraction).toBe(1);
          return;
        }
        nowMs += HOUR_MS;
      }
      // Only hosts of which nothing is known can keep a stage waiting.
      expect(fates).toContain(null);
    }),
  );
});
