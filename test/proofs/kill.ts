/**
 * `npm run prove:kill [--kills 100] [--cuts 1000] [--seed 1]`: kill -9 of the packaged agent at random instants against a live
 * mosquitto and VictoriaMetrics, the ways to which are up, down, refusing and hanging in turns. Every stored event must reach the subscriber, redeliveries must be recognisable, no number may be missing.
 */
import { hasVictoriaMetrics } from '../support/daemons.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { cutPower } from './kill/power-cut.ts';
import { killRepeatedly } from './kill/run.ts';
import { canTrace } from './kill/trace.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  if (!hasMosquitto || !hasVictoriaMetrics) {
    console.error('prove:kill: mosquitto and victoria-metrics are needed (Debian packages of these names)');
    return 3;
  }
  const kills = numberArgument('kills', 100);
  const seed = numberArgument('seed', 1);
  const result = await killRepeatedly(kills, seed);
  const cut = canTrace ? await cutPower(numberArgument('cuts', 1000), seed) : null;
  const file = writeResult('proofs', 'kill', { ...circumstances(), ...result, powerCuts: cut });
  console.log(
    `${kills} kills (${result.killsDuringStart} during the start), seed ${seed}: ${result.stored} events stored, ${result.received} received, ` +
      `${result.duplicates} received again; lost ${result.lost}, unknown ${result.unknown}, gaps ${result.gaps}, not in InfluxDB ${result.lostToInflux} events and ${result.samplesLostToInflux} samples, altered ${result.altered}, ` +
      `incidents never ended ${result.unended}, epochs ${result.epochs}. ${result.passed ? 'PASSED' : 'FAILED'}. ${file}`,
  );
  if (cut === null) console.log('Power cuts: NOT TRIED, strace is missing or not allowed here.');
  else {
    console.log(
      `${cut.cuts} power cuts (${cut.cutsAfterPublish} after the first of ${cut.published} publishes) at any of ${cut.operations} operations with ${cut.syncs} fsyncs: ` +
        `published and not stored ${cut.publishedNotStored}, numbers reused ${cut.reused}, not opened ${cut.notOpened}, new epochs ${cut.newEpochs}. ${cut.passed ? 'PASSED' : 'FAILED'}.`,
    );
  }
  return result.passed && cut?.passed !== false ? 0 : 1;
}
