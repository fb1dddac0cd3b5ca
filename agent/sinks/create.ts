import type { SinkConfig } from '../config/config.ts';
import type { Log } from '../log.ts';
import type { Sink, SinkContext } from './sink.ts';

/** Makes a configured sink; what it needs is loaded only then. @throws SinkConfigurationError */
export async function createSink(config: SinkConfig, context: SinkContext, log: Log): Promise<Sink> {
  const deps = {
    nowMs: Date.now,
    random: Math.random,
    setTimer: (callback: () => void, ms: number) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    log,
  };
  switch (config.type) {
    case 'stdout': {
      const { StdoutSink } = await import('./stdout.ts');
      return new StdoutSink(config.name, context.identity, process.stdout, Date.now);
    }
    case 'influx': {
      const { InfluxSink } = await import('./influx/influx-sink.ts');
      return new InfluxSink(config, context, deps);
    }
    case 'webhook': {
      const { WebhookSink } = await import('./webhook/webhook-sink.ts');
      return new WebhookSink(config, context, deps);
    }
    case 'mqtt': {
      const { MqttSink } = await import('./mqtt/mqtt-sink.ts');
      const control = context.control?.sink === config.name ? context.control.listener : undefined;
      return new MqttSink(config, context.identity, { ...deps, control });
    }
  }
}
