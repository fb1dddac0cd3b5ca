/**
 * `npm run prove:hostile [--executions 20000] [--first 1]`: what an enemy may send or leave on the disk, made of valid
 * inputs by mutation: MQTT packets, HTTP answers, configuration, replay files, database files. Nothing but the
 * promised errors may come of it, and memory stays bounded.
 */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Fuzzed, fuzz, makeTargets } from './hostile/targets.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/**
 * What a closed database's statements hold natively is freed when they are collected, and the heap, which doesn't see
 * those bytes, finds little reason to. An agent opens its database at most three times an hour; here it is thousands
 * of times.
 */
async function tidy(): Promise<void> {
  collectGarbage();
  await setImmediate();
}

process.exitCode = await main();

async function main(): Promise<number> {
  const executions = numberArgument('executions', 20_000);
  const first = numberArgument('first', 1);
  const results: (Fuzzed & { rssGrowthMb: number })[] = [];
  for (const target of await makeTargets()) {
    // A first round warms caches and compilers: what grows after it is kept.
    await fuzz(target, Math.max(1000, Math.ceil(executions / 10)), first + executions, tidy);
    await tidy();
    const before = process.memoryUsage.rss();
    const result = await fuzz(target, executions, first, tidy);
    await tidy();
    const rssGrowthMb = Math.round((process.memoryUsage.rss() - before) / 1e5) / 10;
    results.push({ ...result, rssGrowthMb });
    await target.close();
    for (const { seed, error } of result.crashes) console.log(`  ${target.name}, seed ${seed}: ${error}`);
    console.log(
      `${target.name}: ${result.executions} executions in ${result.seconds} s, ${result.crashes.length} crashes, ${rssGrowthMb} MB more at their end`,
    );
  }
  const passed = results.every(({ crashes, rssGrowthMb }) => crashes.length === 0 && rssGrowthMb < 50);
  const file = writeResult('proofs', 'hostile', { ...circumstances(), first, results, passed });
  console.log(`${passed ? 'PASSED' : 'FAILED'}. ${file}`);
  return passed ? 0 : 1;
}
