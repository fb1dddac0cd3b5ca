/**
 * `npm run prove:reconnect [--clients 2000] [--down 10]`: clients with the agent's own sink, delivery and backoff on a
 * mosquitto as `fleet broker` configures it (TLS, passwords, rules), but without its persistence; kill -9, back after
 * ten seconds with nothing. How the reconnects spread, and that every alert committed before, at the kill, during and
 * after is acknowledged; once by the broker alone, once by a packaged hub, which must have each of them in its store.
 */
import { hasExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';
import { type ReconnectResult, reconnect } from './reconnect/run.ts';

const STEADY_MS = 35_000;
const AFTER_MS = 20_000;
const DEADLINE_MS = 300_000;

process.exitCode = await main();

async function main(): Promise<number> {
  if (!hasMosquitto || !hasExecutable) {
    console.error(
      'prove:reconnect: mosquitto (Debian package) and the executable (npm run build:executable) are needed',
    );
    return 3;
  }
  const clients = numberArgument('clients', 2000);
  const downMs = 1000 * numberArgument('down', 10);
  const runs: ReconnectResult[] = [];
  for (const hub of [false, true]) {
    const options = { clients, downMs, steadyMs: STEADY_MS, afterMs: AFTER_MS, deadlineMs: DEADLINE_MS, hub };
    const run = await reconnect(options, (line) => console.error(`${hub ? 'hub' : 'broker'}: ${line}`));
    runs.push(run);
    console.log(words(run));
  }
  const passed = runs.every((run) => run.passed);
  const command = `npm run prove:reconnect -- --clients ${clients} --down ${downMs / 1000}`;
  const file = writeResult('proofs', 'reconnect', { ...circumstances(), command, runs, passed });
  console.log(`${passed ? 'PASSED' : 'FAILED'}. ${file}`);
  return passed ? 0 : 1;
}

function words({ hub, clients, downMs, reconnects, alerts, viewer, ...run }: ReconnectResult): string {
  const committed = Object.values(alerts).reduce((sum, { committed }) => sum + committed, 0);
  const lost = Object.values(alerts).reduce((sum, one) => sum + one.committed - one.acknowledged, 0);
  const seconds = (ms: number): string => (ms / 1000).toFixed(1);
  return (
    `acknowledged by the ${hub ? 'hub' : 'broker'}: ${clients} clients, broker away for ${downMs / 1000} s. Back after p50 ${seconds(reconnects.p50Ms)}, ` +
    `p95 ${seconds(reconnects.p95Ms)}, last ${seconds(reconnects.lastMs)} s, at most ${reconnects.mostInASecond} in a second; ${run.failedAttempts} attempts failed. ` +
    `${committed} alerts, ${lost} never acknowledged, the last ${seconds(run.lastAcknowledgedMs)} s after the restart` +
    `${run.hubStored === null ? '' : `; the hub stored ${run.hubStored}, lost ${run.hubLost}`}. A viewer saw ${viewer.unique}, ${viewer.again} again, missed ${viewer.missed}.`
  );
}
