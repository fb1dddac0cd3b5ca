import { printable } from '../../agent/log.ts';
import { formatDuration } from '../../core/words.ts';
import { perHour } from '../../models/rollout/alarm-rates.ts';
import type { ShadowFigures } from '../../models/rollout/gate.ts';
import type { Figures, Judgement } from '../../models/rollout/judge.ts';
import type { Progress, RolloutPlan } from '../../models/rollout/plan.ts';
import type { Interval } from '../../models/rollout/statistics.ts';
import type { StoredRollout } from '../../models/rollout/store.ts';
import { facts, list, type Section, table, toText } from '../models/document.ts';
import { brief } from '../table.ts';
import type { FleetRead } from './fleet.ts';

/** What is shown of a rollout. Every name in it may come from a host: toText escapes them. */

const MOST_NAMED = 20;
export const percentOf = (share: number): string => `${brief(share * 100)} %`;
const within = ({ low, high }: Interval): string => `${brief(low)} to ${brief(high)}`;

export const rolloutTitle = ({ model, plan, progress }: StoredRollout): string =>
  `${model}@${plan.release.version}: ${statusWords(progress)}`;

function statusWords(progress: Progress): string {
  if (progress.status !== 'running') return progress.status;
  return progress.state === 'paused' ? 'paused' : 'running';
}

/** Where an abort takes hosts. */
export const baselineWords = ({ model, baseline }: RolloutPlan): string =>
  baseline === null ? 'what each host learned itself' : `${printable(model)}@${baseline.version}`;

export function stageWords({ stages, mode }: RolloutPlan, progress: Progress): string {
  if (progress.mode === 'shadow') return `in shadow on ${percentOf(progress.fraction)} of the selected hosts`;
  const before = mode === 'shadow' ? ', after shadow' : '';
  return `${progress.stage + 1} of ${stages.length}${before}: ${percentOf(progress.fraction)} of the selected hosts`;
}

/** One line: what is decided, and why. */
export const decisionWords = ({ decision }: Pick<Judgement, 'decision'>): string =>
  `${decision.kind}: ${printable(decision.reasons.join('; '))}`;

/** One line for a terminal that is written over. */
export function progressLine({ plan, progress, model }: StoredRollout, figures: Figures): string {
  const soak = figures.soakLeftMs === null ? '' : `, soaks ${formatDuration(figures.soakLeftMs)} more`;
  return `${printable(model)}@${plan.release.version} ${stageWords(plan, progress)}: ${figures.committed} of ${figures.cohort} committed, ${figures.failed.length} failed, ${figures.pending.all} pending${soak}`;
}

export function rolloutPage(rollout: StoredRollout, judgement: Judgement, read: FleetRead): string {
  return toText(rolloutTitle(rollout), sectionsOf(rollout, judgement, read));
}

function sectionsOf(
  { plan, progress }: StoredRollout,
  { figures, decision }: Judgement,
  read: FleetRead,
): Section[] {
  const { committed, failed, pending } = figures;
  const { sites, labels, ids } = plan.select;
  const chosen = [
    `sites ${sites?.join(', ') ?? 'all'}`,
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
    ...(ids === null ? [] : [`${ids.length} ids`]),
  ];
  const unread = read.refused + read.faulty.length;
  return [
    {
      title: 'Rollout',
      blocks: [
        facts(
          ['selects', chosen.join('; ')],
          ['stage', stageWords(plan, progress)],
          ['back to', baselineWords(plan)],
          ['verdict', `${decision.kind}: ${decision.reasons.join('; ')}`],
        ),
      ],
    },
    {
      title: 'Hosts',
      blocks: [
        facts(
          [
            'known',
            `${figures.known}${figures.undetermined === 0 ? '' : `, of ${figures.undetermined} it is not known whether they are selected`}`,
          ],
          ['selected', String(figures.selected)],
          ['in the stage', String(figures.cohort)],
          [progress.mode === 'apply' ? 'committed' : 'tried it', String(committed)],
          ['failed', String(failed.length)],
          ['pending', pendingWords(figures)],
          ...(unread === 0
            ? []
            : ([
                [
                  'not read',
                  `${read.refused} topics refused by the broker, ${read.faulty.length} reports that are none: these hosts are pending`,
                ],
              ] as const)),
          ...(pending.behind === 0
            ? []
            : ([['behind', `${pending.behind} have not heard of this stage yet`]] as const)),
        ),
      ],
    },
    ...failedSection(figures),
    ...(progress.mode === 'apply' ? alarmSection(figures) : []),
    ...(figures.shadow === null ? [] : [shadowSection(figures.shadow)]),
  ];
}

function pendingWords({ pending: { all, unseen, offline, unable, working } }: Figures): string {
  if (all === 0) return '0';
  return `${all}: ${working} under way, ${offline} offline, ${unseen} never reported, ${unable} without a root`;
}

function failedSection({ failed }: Figures): Section[] {
  if (failed.length === 0) return [];
  const rows = failed
    .slice(0, MOST_NAMED)
    .map(({ host, state, code, message }) => [host, state, code, message]);
  const more = failed.length - rows.length;
  const blocks = [table(['host', 'state', 'code', 'why'], rows)];
  // After an abort they did what they were told.
  const asked = failed.every(({ code }) => code === 'asked');
  return [
    {
      title: asked ? 'Went back, as asked' : 'Failed',
      blocks: more > 0 ? [...blocks, list([`and ${more} more: --json names all`])] : blocks,
    },
  ];
}

function alarmSection({ alarms: { cohort, control, earlier, p } }: Figures): Section[] {
  if (control === null || cohort.hours === 0 || control.hours === 0) return [];
  const row = (name: string, side: typeof cohort): [string, string] => [
    name,
    `${side.alarms} in ${brief(side.hours)} hours of ${side.hosts} hosts: ${within(perHour(side))} an hour (95 %)`,
  ];
  return [
    {
      title: 'Alarms',
      blocks: [
        facts(row('in the stage', cohort), row(earlier ? 'outside, before' : 'outside', control), [
          'over the limit',
          `p ${p.toExponential(1)}`,
        ]),
      ],
    },
  ];
}

function shadowSection({
  hosts,
  rows,
  flagged,
  alarms,
  allowedAlarms,
  disagreements,
  verdict,
}: ShadowFigures): Section {
  const share = ({ low, high }: Interval): string => `${percentOf(low)} to ${percentOf(high)}`;
  return {
    title: 'Shadow',
    blocks: [
      facts(
        ['rows', `${rows} on ${hosts} hosts`],
        ['disagreement', `${disagreements.count}: ${share(disagreements.share)} of rows (95 %)`],
        [
          'flagged',
          `${flagged.candidate}: ${share(flagged.candidateInterval)}; by the model before ${flagged.current}: ${share(flagged.currentInterval)}`,
        ],
        [
          'alarms',
          `${alarms.candidate} (${within(alarms.candidateInterval)}); by the model before ${alarms.current} (${within(alarms.currentInterval)}); allowed ${allowedAlarms}`,
        ],
        ['gate', verdict],
      ),
    ],
  };
}

/** The same for programs. */
export function rolloutDocument(
  rollout: StoredRollout,
  judgement: Judgement,
  read: FleetRead,
  version: number | null,
) {
  const { plan, progress, model } = rollout;
  return {
    model,
    release: plan.release,
    baseline: plan.baseline,
    select: plan.select,
    status: progress.status,
    state: progress.state,
    mode: progress.mode,
    stage: progress.stage,
    stages: plan.stages,
    fraction: progress.fraction,
    version,
    decision: judgement.decision,
    figures: judgement.figures,
    unread: { refused: read.refused, faulty: read.faulty },
  };
}
