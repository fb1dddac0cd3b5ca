import type { AgentIdentity } from '../../core/protocol/status.ts';
import type { SinkConfig } from '../config/config.ts';
import type { Log } from '../log.ts';
import type { Sink } from './sink.ts';

/** Makes a configured sink; what it needs is loaded only then. @throws SinkConfigurationError */
export async function createSink(config: SinkConfig, identity: AgentIdentity, log: Log): Promise<Sink> {
  if (config.type === 'stdout') {
    const { StdoutSink } = await import('./stdout.ts');
    return new StdoutSink(config.name, identity, process.stdout, Date.now);
  }
  const { MqttSink } = await import('./mqtt/mqtt-sink.ts');
  return new MqttSink(config, identity, {
    nowMs: Date.now,
    random: Math.random,
    setTimer: (callback, ms) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    log,
  });
}
