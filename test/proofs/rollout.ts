/**
 * `npm run prove:rollout [--simulated 200] [--agents 10] [--seed 1]`: the packaged `rollout` commands, packaged agents and
 * simulated hosts that speak the real protocol, over a real mosquitto. A good release reaches everybody in stages; bad
 * ones, all signed in order, are aborted in the first stage, and every host is back on the good one with no operator.
 */
import { hasExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';
import { BAD_RELEASES } from './rollout/releases.ts';
import { proveRollout } from './rollout/run.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  if (!hasMosquitto || !hasExecutable) {
    console.error(
      'prove:rollout: mosquitto (Debian package) and dist/ (npm run build:executable) are needed',
    );
    return 3;
  }
  const result = await proveRollout({
    simulated: numberArgument('simulated', 200),
    agents: numberArgument('agents', 10),
    seed: numberArgument('seed', 1),
    bad: BAD_RELEASES,
    say: (line) => console.log(line),
  });
  const file = writeResult('proofs', 'rollout', { ...circumstances(), ...result });
  console.log(`${result.passed ? 'PASSED' : 'FAILED'}. ${file}`);
  return result.passed ? 0 : 1;
}
