/**
 * `npm run prove:outage [--days 7] [--seed 1]`: a simulated week without any sink, then the drain. The disk stays
 * under its cap, all alerts are kept (or, with a small outbox, every drop is counted and told), and what is new during
 * the drain waits for none of the backlog.
 */
import { runOutage } from '../simulation/outage.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';

const days = numberArgument('days', 7);
const seed = numberArgument('seed', 1);
const runs = [
  { name: 'default limits', ...(await runOutage({ seed, days, small: false })) },
  { name: 'an outbox of 30 kB and a database of 8 MB', ...(await runOutage({ seed, days, small: true })) },
];
for (const run of runs) {
  console.log(
    `${run.name}: ${run.samples} samples, ${run.alerts} alerts during ${days} days without a sink; database ${(run.databaseBytes / 1e6).toFixed(1)} MB ` +
      `(cap ${(run.databaseMaxBytes / 1e6).toFixed(0)} MB); dropped ${run.dropped}, told by tombstones ${run.toldDropped}; alerts lost ${run.alertsLost}. ` +
      `Drain: ${run.backlog} events in ${Math.round(run.drainSeconds)} s, at most ${run.mostPerSecond} a second (limit ${run.limitPerSecond}), ` +
      `new alerts after ${Math.round(run.slowestNewAlertMs)} ms at the most. ${run.violations.length === 0 ? 'ok' : run.violations.join('; ')}`,
  );
}
const passed = runs.every((run) => run.violations.length === 0);
const file = writeResult('proofs', 'outage', { ...circumstances(), seed, days, runs, passed });
console.log(`${passed ? 'PASSED' : 'FAILED'}. ${file}`);
process.exitCode = passed ? 0 : 1;
