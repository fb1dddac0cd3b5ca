import { converse } from '../../agent/local-api.ts';
import type { JudgedAlert } from '../../agent/operators.ts';
import type { AlertData, StoredEvent } from '../../core/protocol/events.ts';
import { alertLine, alertPage } from '../alert-view.ts';
import { Exit, UserError } from '../errors.ts';
import { askAgent, socketPath, unreachable } from '../local.ts';
import { type AgentStatus, maintenanceText, useColour } from './status.ts';

export interface AlertsOptions {
  readonly action: string;
  readonly socket?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly id?: string | undefined;
  readonly limit?: number | undefined;
  readonly json: boolean;
}

const MOST_LISTED = 1000;

export async function run(args: AlertsOptions): Promise<number> {
  const path = await socketPath(args);
  if (args.action === 'show') return show(path, args);
  if (!args.json) await tellSilence(path);
  if (args.action === 'list') return list(path, args);
  return tail(path, args);
}

/** An empty list means little while nothing is raised. */
async function tellSilence(path: string): Promise<void> {
  const { maintenance, nowMs } = await askAgent<AgentStatus>(path, { method: 'status' });
  for (const one of maintenance) process.stderr.write(`No alerts: ${maintenanceText(one, nowMs)}.\n`);
}

async function list(path: string, args: AlertsOptions): Promise<number> {
  const { limit = 20 } = args;
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_LISTED)
    throw new UserError(`--limit: expected a whole number from 1 to ${MOST_LISTED}`);
  const alerts = await askAgent<JudgedAlert[]>(path, { method: 'alerts', limit });
  if (args.json) process.stdout.write(`${JSON.stringify(alerts)}\n`);
  else if (alerts.length === 0) process.stdout.write('No incident so far.\n');
  else for (const alert of alerts) process.stdout.write(`${alertLine(alert, useColour())}\n`);
  return Exit.done;
}

async function show(path: string, args: AlertsOptions): Promise<number> {
  const alert = await askAgent<JudgedAlert | null>(path, { method: 'alert', id: args.id });
  if (alert === null)
    throw new UserError(
      `no incident begins with "${args.id}"; \`edgewood alerts list\` names them`,
      Exit.checkSaysNo,
    );
  process.stdout.write(args.json ? `${JSON.stringify(alert)}\n` : `${alertPage(alert, useColour())}\n`);
  return Exit.done;
}

/** Follows the local agent until interrupted. */
async function tail(path: string, args: AlertsOptions): Promise<number> {
  try {
    for await (const message of converse(path, { method: 'follow' })) {
      const event = (message as { event?: StoredEvent } | null)?.event;
      if (event === undefined || event.type !== 'edgewood.incident') continue;
      process.stdout.write(
        args.json ? `${event.data}\n` : `${alertLine(JSON.parse(event.data) as AlertData, useColour())}\n`,
      );
    }
  } catch (error) {
    throw unreachable(path, error);
  }
  process.stderr.write('The agent has stopped.\n');
  return Exit.unreachable;
}
