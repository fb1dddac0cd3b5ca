import { readFileSync, writeFileSync } from 'node:fs';
import { MqttSink } from '../../agent/sinks/mqtt/mqtt-sink.ts';
import { IDENTITY } from '../support/sinks.ts';

/**
 * A process with nothing but a connected sink, for measuring: tells `ready {…}` and `refused {…}` with its memory
 * in kB. The peak is counted from `ready` on.
 */

function memory(): Record<string, number> {
  const of = (file: string, key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/self/${file}`, 'utf8'))?.[1]);
  return {
    rss: of('status', 'VmRSS'),
    peak: of('status', 'VmHWM'),
    pss: of('smaps_rollup', 'Pss'),
    anon: of('smaps_rollup', 'Pss_Anon'),
  };
}
const tell = (what: string): void => void process.stdout.write(`${what} ${JSON.stringify(memory())}\n`);

let connects = 0;
const sink = new MqttSink(
  {
    type: 'mqtt',
    name: 'mqtt',
    url: process.argv[2] ?? '',
    protocolVersion: process.argv[3] === '4' ? 4 : 5,
  },
  IDENTITY,
  {
    nowMs: Date.now,
    random: () => 0.02,
    setTimer: (callback, ms) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    log: (_level, event) => {
      if (event === 'mqtt.packetRefused') tell('refused');
    },
  },
);
sink.start(() => {
  connects++;
  if (connects > 1) {
    tell('back');
    return;
  }
  writeFileSync('/proc/self/clear_refs', '5');
  tell('ready');
});
