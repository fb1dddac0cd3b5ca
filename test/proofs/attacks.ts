/**
 * `npm run prove:attacks [--endless 2000] [--huge 200000000]`: the packaged agent against an enemy who may say
 * everything at its broker, and against those whom the generated access rules hold; and hostile names in all that is
 * shown. No attack changes what the agent runs, or loses an alert; each is counted. Keys are drawn anew at each run.
 */
import { hasClock } from '../support/clock.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { attackAll } from './attacks/all.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  if (!hasMosquitto || !hasClock) {
    console.error('prove:attacks: mosquitto and libfaketime are needed (Debian packages of these names)');
    return 3;
  }
  const result = await attackAll({
    endless: numberArgument('endless', 2000),
    hugeBytes: numberArgument('huge', 200_000_000),
  });
  const file = writeResult('proofs', 'attacks', { ...circumstances(), ...result });
  for (const [name, { alerts, peakMb, logBytes }] of Object.entries(result.scenes)) {
    console.log(
      `${name}: ${alerts.stored} events stored, ${alerts.heard} heard, ${alerts.pending} waiting, lost ${alerts.lost}, gaps ${alerts.gaps}; ` +
        `peak ${peakMb.toFixed(0)} MB, ${logBytes} bytes of log`,
    );
  }
  const failed = result.attacks.filter(({ passed }) => !passed).length;
  console.log(
    `${result.attacks.length} attacks, ${failed} that succeeded or were not counted. ${result.passed ? 'PASSED' : 'FAILED'}. ${file}`,
  );
  return result.passed ? 0 : 1;
}
