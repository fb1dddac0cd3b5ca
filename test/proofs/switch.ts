/**
 * `npm run prove:switch [--tearings 5] [--starts 12] [--seed 1]`: power cuts at every write, fsync, rename and link with
 * which the packaged agent switches models. After each a verified model must be there; on some of them the executable
 * is started, and timed to its first sample with a score.
 */
import { hasMosquitto } from '../support/mosquitto.ts';
import { canTrace } from './kill/trace.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';
import { cutSwitches } from './switch/run.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  if (!hasMosquitto || !canTrace) {
    console.error('prove:switch: mosquitto and strace are needed (Debian packages), and leave to trace');
    return 3;
  }
  const result = await cutSwitches(
    numberArgument('tearings', 5),
    numberArgument('starts', 12),
    numberArgument('seed', 1),
  );
  const file = writeResult('proofs', 'switch', { ...circumstances(), ...result });
  const total = Object.values(result.operations).reduce((sum, n) => sum + n, 0);
  const watching = Object.entries(result.watching).map(([name, n]) => `${name} ${n}`);
  console.log(
    `${result.cuts} power cuts at ${total} operations, seed ${result.seed}; what would watch: ${watching.join(', ')}. ` +
      `No model ${result.noModel}, unknown ${result.unknown}, unverified ${result.unverified}, neither the one before nor the one after ${result.neither}, gone backwards ${result.backwards}.`,
  );
  const slowest = Math.max(...result.starts.map(({ fromStartedMs }) => fromStartedMs));
  const whole = Math.max(...result.starts.map(({ fromProcessMs }) => fromProcessMs));
  console.log(
    `${result.starts.length} starts of the executable: first sample with a score after at most ${slowest} ms, ${whole} ms from the start of the process. ${result.passed ? 'PASSED' : 'FAILED'}. ${file}`,
  );
  return result.passed ? 0 : 1;
}
