import { printable } from '../agent/log.ts';
import type { StatusReport } from '../agent/status.ts';

/** Models from the centre, in one line of `status`. */
export function centralLine(central: NonNullable<StatusReport['central']>): string {
  if ('unavailable' in central)
    return 'not listened to: the root is missing, or another than the configuration says';
  const { root, rollout, state, release, error, figures, refused } = central;
  const parts = [`root ${root ?? 'none'}`];
  if (rollout === null) parts.push('no rollout yet');
  else parts.push(`${printable(rollout.model)}, rollout ${rollout.version}`);
  if (release !== null) parts.push(`release ${release.version} ${STATE_WORDS[state]}`);
  if (figures !== null && (state === 'shadow' || state === 'probation')) {
    const { rows, candidate, current } = figures;
    parts.push(
      `${candidate.flagged} of ${rows} samples flagged${current === null ? '' : ` (now ${current.flagged})`}`,
    );
  }
  if (error !== null) parts.push(printable(error.message));
  const counts = refusedWords(refused);
  if (counts !== '') parts.push(`turned away: ${counts}`);
  return parts.join(', ');
}

const STATE_WORDS: Readonly<Record<string, string>> = {
  none: 'not asked for',
  offered: 'waits for its turn',
  fetching: 'is being fetched',
  verified: 'is verified',
  shadow: 'is tried on history',
  probation: 'runs on probation',
  committed: 'watches',
  rejected: 'was refused',
  rolled_back: 'was taken back',
  timed_out: 'was given up',
};

/** "older 2, otherChunk 1". */
export const refusedWords = (refused: Readonly<Record<string, number>>): string =>
  Object.entries(refused)
    .map(([reason, count]) => `${printable(reason)} ${count}`)
    .join(', ');
