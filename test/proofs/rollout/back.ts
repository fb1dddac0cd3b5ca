import type { ReportedDocument } from '../../../core/protocol/reported.ts';
import { SITE } from '../../support/rollout-scene.ts';
import type { TestRelease } from '../../support/signed.ts';
import type { RealAgent } from './agents.ts';
import { type Commands, SOAK_MS } from './commands.ts';
import type { Observer } from './observer.ts';
import type { BadRelease } from './releases.ts';

/** A bad release goes out, and everybody comes back. */

const COMMITTED_WITHIN_MS = 90_000;
const BACK_WITHIN_MS = 120_000;
const UNDER_WAY: ReadonlySet<string> = new Set(['offered', 'fetching', 'verified', 'shadow', 'probation']);

export const seconds = (ms: number): number => Math.round(ms / 100) / 10;
export const digest = ({ document }: TestRelease): string => document.artifact.sha256;

/** Runs the good one, and nothing else is under way. */
const isBackOn =
  (good: string) =>
  ({ slots, state }: ReportedDocument): boolean =>
    slots.central === good && !UNDER_WAY.has(state);

/** Starts it, advances to its end, and waits until every host is back: nobody has a hand in it. */
export async function takeBack(
  commands: Commands,
  observer: Observer,
  bad: BadRelease,
  release: TestRelease & { readonly path: string },
  good: string,
  group: readonly string[],
  hostIds: readonly string[],
  say: (line: string) => void,
) {
  const seen = observer.rollouts.length;
  const soak = bad.loud === true ? '10m' : `${SOAK_MS}ms`;
  const rolled = await commands.rollOut(release.path, ['--stages', '1,10,50,100', '--soak', soak, ...group]);
  const issued = observer.rollouts.slice(seen);
  const aborted = issued.find(({ document }) => document.state === 'aborted');
  await observer.until(hostIds, isBackOn(good), BACK_WITHIN_MS);
  const backMs = performance.now();
  const failed = rolled.last?.figures.failed ?? [];
  const ran = observer.ran.get(digest(release))?.size ?? 0;
  const codes = [...new Set(failed.map(({ code }) => code))];
  const result = {
    release: bad.name,
    cohortSeed: rolled.cohortSeed,
    among: group.length === 0 ? 'all' : 'packaged agents only',
    exitCode: rolled.code,
    stages: issued.filter(({ document }) => document.state === 'active').length,
    secondsToAbort: seconds((aborted?.atMs ?? Number.NaN) - rolled.startMs),
    secondsFromAbortToBack: seconds(backMs - (aborted?.atMs ?? Number.NaN)),
    firstStage: rolled.last?.figures.cohort ?? null,
    failed: failed.length,
    codes,
    packagedAgentsThatRefused: failed.filter(({ host }) => host.startsWith(`${SITE}/real-`)).length,
    why: rolled.last?.decision.reasons ?? [],
    hostsThatRanIt: ran,
  };
  const passed =
    rolled.code === 1 &&
    result.stages === 1 &&
    (bad.loud === true || (ran === 0 && failed.length >= 3 && codes.every((code) => bad.code.test(code))));
  say(
    `${bad.name} (${result.among}): exit ${rolled.code} after ${result.secondsToAbort} s in stage ${result.stages}, ${result.failed} of ${result.firstStage} failed (${codes.join()}), ${ran} ran it, all ${hostIds.length} on the good one ${result.secondsFromAbortToBack} s later: ${passed ? 'passed' : 'FAILED'}`,
  );
  return { ...result, passed };
}

/**
 * A release that is quiet on every host's history is committed by all packaged agents. Then four of their hosts do what
 * it never saw, and the one before did: those agents take it back by themselves, and the rollout sends back the others.
 */
export async function sendBack(
  commands: Commands,
  observer: Observer,
  release: TestRelease & { readonly path: string },
  good: string,
  real: readonly RealAgent[],
  say: (line: string) => void,
) {
  const hostIds = real.map(({ hostId }) => hostId);
  const bad = digest(release);
  const seen = observer.rollouts.length;
  const rolling = commands.rollOut(release.path, [
    '--stages',
    '100',
    '--soak',
    '10m',
    '--label',
    'kind=real',
  ]);
  await observer.until(
    hostIds,
    ({ slots, state }) => slots.central === bad && state === 'committed',
    COMMITTED_WITHIN_MS,
  );
  const committedMs = performance.now();
  const busy = real.slice(0, 4);
  for (const { feed } of busy) feed.becomeBusy();
  const rolled = await rolling;
  await observer.until(hostIds, isBackOn(good), BACK_WITHIN_MS);
  const backMs = performance.now();
  const aborted = observer.rollouts.slice(seen).find(({ document }) => document.state === 'aborted');
  const left = observer.left.filter(({ sha256 }) => sha256 === bad);
  const by = (code: string): number => left.filter((one) => one.code === code).length;
  const result = {
    release: 'quiet on history, and never saw what some hosts do then',
    cohortSeed: rolled.cohortSeed,
    exitCode: rolled.code,
    secondsToCommitted: seconds(committedMs - rolled.startMs),
    committed: hostIds.length,
    hostsThatBecameBusy: busy.length,
    secondsFromBusyToFirstBack: seconds((left[0]?.atMs ?? Number.NaN) - committedMs),
    secondsFromBusyToAbort: seconds((aborted?.atMs ?? Number.NaN) - committedMs),
    secondsFromBusyToAllBack: seconds(backMs - committedMs),
    secondsFromAbortToAllBack: seconds(backMs - (aborted?.atMs ?? Number.NaN)),
    backByThemselves: by('alarms'),
    backByTheRollout: by('asked'),
    why: rolled.last?.decision.reasons ?? [],
  };
  const passed =
    rolled.code === 1 &&
    left.length === hostIds.length &&
    result.backByThemselves >= 3 &&
    result.backByThemselves + result.backByTheRollout === hostIds.length;
  say(
    `${result.release}: ${hostIds.length} packaged agents committed it after ${result.secondsToCommitted} s, ${busy.length} hosts became busy; ${result.backByThemselves} took it back by themselves, the first after ${result.secondsFromBusyToFirstBack} s, aborted after ${result.secondsFromBusyToAbort} s, ${result.backByTheRollout} sent back, all back after ${result.secondsFromBusyToAllBack} s: ${passed ? 'passed' : 'FAILED'}`,
  );
  return { ...result, passed };
}
