import { accessSync, constants, existsSync } from 'node:fs';
import { ask } from '../../agent/local-api.ts';
import { printable } from '../../agent/log.ts';
import { formatDuration } from '../../core/words.ts';
import { refusedWords } from '../central-view.ts';
import type { AgentStatus } from '../commands/status.ts';
import { driftLine } from '../drift-view.ts';
import { type Finding, note, ok, problem, warning } from './finding.ts';

const DAY_MS = 86_400_000;
/** A model is fitted every night: one that is older was not. */
const OLD_MODEL_MS = 3 * DAY_MS;
const LONG_QUEUE = 100;

function mayOpen(socket: string): boolean {
  try {
    accessSync(socket, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What the running agent says of itself; null where none answers. */
export async function askStatus(socket: string): Promise<AgentStatus | null> {
  try {
    return await ask<AgentStatus>(socket, { method: 'status' });
  } catch {
    return null;
  }
}

export function checkAgent(status: AgentStatus | null, socket: string, version: string): Finding[] {
  const area = 'agent';
  if (status === null) {
    const why = 'nobody watches this host';
    return [
      existsSync(socket) && !mayOpen(socket)
        ? problem(area, `listens on ${socket}, which is not open to this user`, {
            why,
            mend: 'run the doctor as root, or as a member of the agent’s group; else: systemctl restart edgewood',
          })
        : problem(area, `none is running (nothing listens on ${socket})`, {
            why,
            mend: 'systemctl start edgewood, or edgewood service install; journalctl -u edgewood tells why it ended',
          }),
    ];
  }
  const findings: Finding[] = [
    ok(area, `${status.version}, ${status.state}, up ${formatDuration(status.nowMs - status.startedMs)}`),
  ];
  if (status.version !== version) {
    findings.push(
      warning(area, `runs version ${status.version}, this executable is ${version}`, {
        why: 'an upgrade has not taken hold',
        mend: 'systemctl restart edgewood',
      }),
    );
  }
  const silentMs = status.nowMs - (status.sampledAtMs ?? status.startedMs);
  if (silentMs > Math.max(30_000, 3 * status.intervalMs)) {
    findings.push(
      problem(area, `has taken no sample for ${formatDuration(silentMs)}`, {
        why: 'nobody watches this host',
        mend: 'journalctl -u edgewood names the source’s fault; systemctl restart edgewood',
      }),
    );
  }
  return [
    ...findings,
    ...checkModel(status),
    ...checkDrift(status),
    ...checkCentral(status),
    ...checkStore(status),
    ...checkQueues(status),
  ];
}

function checkModel({ model, state, next, nowMs, counters }: AgentStatus): Finding[] {
  const area = 'model';
  if (model === null) {
    const due =
      next.dueMs === null ? 'when there is history' : `in ${formatDuration(Math.max(0, next.dueMs - nowMs))}`;
    return [note(area, `none yet (${state}); the first one comes ${due}`)];
  }
  const ageMs = nowMs - Date.parse(model.trainedTo);
  const says = `${printable(model.name)}, ${model.rows} rows, up to ${formatDuration(Math.max(0, ageMs))} ago${model.provisional ? ', thresholds provisional' : ''}`;
  const old = ageMs > OLD_MODEL_MS && model.slot !== 'central' && next.kind !== 'none';
  const findings = [
    old
      ? warning(area, says, {
          why: 'what is normal may have changed since; it should be fitted every night',
          mend: 'journalctl -u edgewood | grep model. tells why it was not',
        })
      : ok(area, says),
  ];
  if ((counters['failedFits'] ?? 0) > 0) {
    findings.push(
      note(area, `${counters['failedFits']} fits came to nothing`, {
        mend: 'the log names the reason: model.',
      }),
    );
  }
  return findings;
}

/** Is the host still the one that its model learned? Without a reference nobody knows, and there is nothing to say. */
export function checkDrift({
  drift,
  nowMs,
  sampledAtMs,
}: Pick<AgentStatus, 'drift' | 'nowMs' | 'sampledAtMs'>): Finding[] {
  const area = 'drift';
  if (drift === null) return [];
  const says = driftLine(drift, sampledAtMs ?? nowMs);
  const findings = [
    drift.phase === 'drifting'
      ? warning(area, says, {
          why: 'the model judges this host by a normal that is no longer its own: false alarms, and true ones missed',
          mend: 'edgewood status names what moved; where it is to stay so, edgewood retrain fits a new model',
        })
      : drift.filled
        ? ok(area, says)
        : note(area, says),
  ];
  const lying = drift.streams.filter(({ unjudged }) => unjudged === 'stuck' || unjudged === 'missing');
  for (const { name, unjudged } of lying) {
    findings.push(
      warning(area, `${printable(name)} is ${unjudged}`, {
        why: 'a sensor that lies is watched in vain',
        mend: 'see what reads it: journalctl -u edgewood | grep collector',
      }),
    );
  }
  return findings;
}

function checkStore({ counters }: AgentStatus): Finding[] {
  const lost = (counters['notStored'] ?? 0) + (counters['lostEvents'] ?? 0);
  if (lost === 0) return [];
  return [
    problem(
      'store',
      `${counters['notStored'] ?? 0} samples and ${counters['lostEvents'] ?? 0} events were not stored`,
      {
        why: 'the disk was full: that history is gone',
        mend: 'make room, or lower retention.databaseBytes',
      },
    ),
  ];
}

function checkQueues({ sinks }: AgentStatus): Finding[] {
  return sinks.flatMap((sink) => {
    const area = `sink ${sink.name}`;
    const { pending, dropped } = sink.outbox;
    const findings: Finding[] = [];
    if (!sink.connected) {
      findings.push(
        problem(
          area,
          `the agent is not connected${sink.lastError === null ? '' : `: ${printable(sink.lastError)}`}`,
          {
            why: `${pending} events wait; the oldest are dropped when the outbox is full`,
            mend: 'see what follows for this sink',
          },
        ),
      );
    } else if (pending > LONG_QUEUE) {
      findings.push(
        note(area, `${pending} events wait, at 20 a second they are gone in ${formatDuration(pending * 50)}`),
      );
    }
    if (dropped > 0) {
      findings.push(
        warning(area, `${dropped} events were dropped for want of room`, {
          why: 'their numbers are told to the subscribers; what they said is gone',
          mend: 'raise retention.outboxBytes, or keep outages shorter',
        }),
      );
    }
    if (sink.poisoned > 0) {
      findings.push(
        warning(area, `${sink.poisoned} events were refused for good`, {
          why: 'the far side will never take them',
          mend: 'the log names the reason: delivery.poison',
        }),
      );
    }
    return findings;
  });
}

/** Whether models from the centre are taken, and what became of the last one. */
export function checkCentral({ central }: Pick<AgentStatus, 'central'>): Finding[] {
  const area = 'centre';
  if (central === null) return [];
  if ('unavailable' in central) {
    return [
      problem(area, 'is not listened to', {
        why: 'the root is missing, damaged, or another than central.rootSha256 says: no model and no command is taken',
        mend: 'put the fleet’s root in place; edgewood keys root show FILE prints its digest; then restart the agent',
      }),
    ];
  }
  const { root, rollout, state, release, error, refused } = central;
  const findings = [
    ok(area, `root ${root}, ${rollout === null ? 'no rollout yet' : `rollout ${rollout.version}`}`),
  ];
  if (release !== null && (state === 'rejected' || state === 'rolled_back' || state === 'timed_out')) {
    findings.push(
      warning(area, `release ${release.version}: ${state.replace('_', ' ')}`, {
        why: error?.message ?? 'no reason was given',
        mend: 'the model before watches on; edgewood rollout status at the centre shows whether others fare alike',
      }),
    );
  }
  const counts = refusedWords(refused);
  if (counts !== '') {
    findings.push(
      warning(area, `turned away: ${counts}`, {
        why: 'documents, chunks or commands that the root does not vouch for, or that are older than what was seen',
        mend: 'see who may publish at the broker (docs/MODEL_DISTRIBUTION.md); the log names each reason once',
      }),
    );
  }
  return findings;
}
