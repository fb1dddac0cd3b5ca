import { printable } from '../../../agent/log.ts';
import { type TrackingServer, trackingServerFrom } from '../../../models/tracking/settings.ts';
import {
  type SyncFigures,
  sync,
  type WaitingTraining,
  waitingWords,
} from '../../../models/tracking/track.ts';
import { Exit, UserError } from '../../errors.ts';
import { registryDirectory } from '../../registry.ts';
import { openQueue, SEND_OPTIONS } from '../../tracking.ts';

export interface ModelsSyncOptions {
  readonly mlflow?: string | undefined;
  readonly registry?: string | undefined;
  readonly json: boolean;
}

export async function run(args: ModelsSyncOptions): Promise<number> {
  const server = trackingServerFrom(args.mlflow, process.env);
  const queue = openQueue(registryDirectory(args.registry), false);
  const none: SyncFigures = {
    server: server?.url ?? '',
    sent: [],
    waiting: [],
    busy: false,
    stopped: null,
  };
  try {
    const waiting = queue?.waiting().map(waitingWords) ?? [];
    if (queue === null || waiting.length === 0) return tell(none, args.json);
    if (server === null) throw noServer(waiting);
    return tell(await sync(queue, server, { ...SEND_OPTIONS, ...progressFor(server) }), args.json);
  } finally {
    queue?.close();
  }
}

/** On a terminal, one line that is written over. */
function progressFor({ url }: TrackingServer): { onProgress?: (what: string) => void } {
  if (!process.stderr.isTTY) return {};
  return { onProgress: (what) => process.stderr.write(`\r\u001b[K${printable(`${url}: ${what}`)}\r`) };
}

function tell(figures: SyncFigures, json: boolean): number {
  const { waiting, busy, stopped } = figures;
  if (process.stderr.isTTY) process.stderr.write('\u001b[K');
  process.stdout.write(json ? `${JSON.stringify(figures)}\n` : page(figures));
  if (busy || waiting.length === 0) return Exit.done;
  return stopped === null ? Exit.checkSaysNo : Exit.unreachable;
}

function page({ server, sent, waiting, busy, stopped }: SyncFigures): string {
  if (sent.length === 0 && waiting.length === 0) return 'Nothing waits for MLflow.\n';
  const lines = sent.map(({ name, ours, version, runId, missing, aliasesKept }) => {
    const files = missing === null ? '' : `; without its files: ${missing}`;
    const aliases = aliasesKept.length === 0 ? '' : `; a newer version keeps ${aliasesKept.join(', ')}`;
    return `sent  ${name} v${ours}: run ${runId}, ${name} version ${version} at ${server}${files}${aliases}`;
  });
  if (busy) lines.push('Another process is sending these now:');
  else if (stopped !== null) lines.push(`Stopped: ${stopped}`);
  lines.push(...waitingLines(waiting));
  return `${lines.map(printable).join('\n')}\n`;
}

const waitingLines = (waiting: readonly WaitingTraining[]): string[] =>
  waiting.map(
    ({ name, version, keptAt, reason }) =>
      `waits ${name} v${version}, since ${keptAt.slice(0, 16)}Z${reason === null ? '' : `: ${reason}`}`,
  );

const noServer = (waiting: readonly WaitingTraining[]): UserError =>
  new UserError(
    `${waiting.length} ${waiting.length === 1 ? 'training waits' : 'trainings wait'}, but no MLflow server is named; give --mlflow http://HOST:5000, or set MLFLOW_TRACKING_URI\n${waitingLines(waiting).map(printable).join('\n')}`,
  );
