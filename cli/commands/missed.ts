import { printable } from '../../agent/log.ts';
import type { MissedAnswer } from '../../agent/operators.ts';
import type { MissedRecord } from '../../agent/verdicts.ts';
import { minuteText } from '../alert-view.ts';
import { Exit, UserError } from '../errors.ts';
import { askAgent, socketPath } from '../local.ts';
import { timeOption } from '../time-option.ts';

export interface MissedOptions {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly note?: string | undefined;
  readonly retract: boolean;
  readonly socket?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly json: boolean;
}

export async function run({ from, to, note, retract, ...args }: MissedOptions): Promise<number> {
  if (from === undefined) {
    const alone = [to !== undefined && '--to', note !== undefined && '--note', retract && '--retract'];
    const [name] = alone.filter((one) => one !== false);
    if (name !== undefined) throw new UserError(`${name} needs --from: when did it begin?`);
    return list(await socketPath(args), args.json);
  }
  const nowMs = Date.now();
  const fromMs = timeOption('--from', from, nowMs);
  if (retract && (to !== undefined || note !== undefined))
    throw new UserError('--retract takes back what began at --from; leave out --to and --note');
  const request = retract
    ? { method: 'retractMissed', fromMs }
    : {
        method: 'miss',
        fromMs,
        toMs: to === undefined ? fromMs : timeOption('--to', to, nowMs),
        note: note ?? '',
      };
  const answer = await askAgent<MissedAnswer>(await socketPath(args), request);
  if ('refused' in answer) throw new UserError(printable(answer.refused), Exit.checkSaysNo);
  const { record } = answer;
  const text = `${retract ? 'No longer told as missed' : 'Missed'}: ${missedText(record)}.`;
  process.stdout.write(`${args.json ? JSON.stringify(record) : text}\n`);
  return Exit.done;
}

async function list(path: string, json: boolean): Promise<number> {
  const missed = await askAgent<MissedRecord[]>(path, { method: 'missed' });
  if (json) process.stdout.write(`${JSON.stringify(missed)}\n`);
  else if (missed.length === 0) process.stdout.write('Nothing was told as missed so far.\n');
  else for (const record of missed) process.stdout.write(`${missedText(record)}\n`);
  return Exit.done;
}

/** "2026-01-05T10:00:00.000Z to 2026-01-05 10:40Z: disk full": the beginning as `--from` takes it. */
function missedText({ fromMs, toMs, note }: MissedRecord): string {
  const until = toMs === fromMs ? '' : ` to ${minuteText(toMs)}`;
  return `${new Date(fromMs).toISOString()}${until}${note === '' ? '' : `: ${printable(note)}`}`;
}
