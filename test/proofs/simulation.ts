/**
 * `npm run prove:simulation [--seeds 1000] [--first 1] [--hours 4]`: the agent's real loop, store (SQLite on files)
 * and delivery over a simulated clock, network and disk, with faults from a seed, and every promise checked after
 * every step. A seed that fails replays with `--first SEED --seeds 1`, and tells its story.
 */
import { runSeed } from '../simulation/scenario.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  const seeds = numberArgument('seeds', 1000);
  const first = numberArgument('first', 1);
  const hours = numberArgument('hours', 4);
  const faults: Record<string, number> = {};
  const totals = { samples: 0, arrivals: 0, duplicates: 0, tombstones: 0, epochs: 0 };
  const failed: { seed: number; violations: readonly string[] }[] = [];
  const beganMs = performance.now();
  let simulatedMs = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const result = await runSeed(seed, hours);
    simulatedMs += result.simulatedMs;
    totals.samples += result.samples;
    totals.arrivals += result.events;
    totals.duplicates += result.duplicates;
    totals.tombstones += result.tombstones;
    totals.epochs += result.epochs;
    for (const [kind, count] of Object.entries(result.faults)) faults[kind] = (faults[kind] ?? 0) + count;
    if (result.violations.length > 0) {
      failed.push({ seed, violations: result.violations });
      console.log(`seed ${seed}:\n  ${result.violations.join('\n  ')}`);
      if (seeds === 1) console.log(result.story.join('\n'));
    }
    if ((seed - first + 1) % 100 === 0) console.log(`${seed - first + 1} seeds, ${failed.length} failed`);
  }
  const simulatedHours = Math.round(simulatedMs / 3_600_000);
  const injected = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const seconds = Math.round((performance.now() - beganMs) / 1000);
  const result = { seeds, first, hours, simulatedHours, seconds, ...totals, injected, faults, failed };
  // A look at one seed is no proof.
  const file =
    seeds > 1 ? writeResult('proofs', 'simulation', { ...circumstances(), ...result }) : 'not kept';
  console.log(
    `${seeds} seeds from ${first}: ${simulatedHours} hours simulated in ${seconds} s, ${injected} faults injected, ` +
      `${totals.samples} samples, ${totals.arrivals} arrivals (${totals.duplicates} again), ${totals.tombstones} tombstones, ` +
      `${totals.epochs} epochs. Violations in ${failed.length} seeds. ${failed.length === 0 ? 'PASSED' : 'FAILED'}. ${file}`,
  );
  return failed.length === 0 ? 0 : 1;
}
