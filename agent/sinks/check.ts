import { ConfigError, type Origin, placeOf, type SinkConfig } from '../config/config.ts';
import { checkFiles } from './files.ts';
import { parseHttpEndpoint } from './http/endpoint.ts';
import { parseEndpoint } from './mqtt/transport.ts';
import { SinkConfigurationError } from './sink.ts';

/**
 * What each sink would say at the start of an agent, without one: its url, what goes together, files that are not there.
 * @throws ConfigError with the place of the first fault of each sink
 */
export function checkSinkSettings(sinks: readonly SinkConfig[], origins: ReadonlyMap<string, Origin>): void {
  const faults: string[] = [];
  for (const [i, sink] of sinks.entries()) {
    if (sink.type === 'stdout') continue;
    try {
      if (sink.type === 'mqtt') parseEndpoint(sink);
      else parseHttpEndpoint(sink);
      checkFiles(sink);
    } catch (error) {
      if (!(error instanceof SinkConfigurationError)) throw error;
      const { message } = error;
      const said = message.replace(/^sink "[^"]*"/, '');
      const place = (key: string): number => said.search(new RegExp(`\\b${key}\\b`));
      const [key = 'type'] = Object.keys(sink)
        .filter((one) => place(one) >= 0)
        .sort((one, other) => place(one) - place(other));
      faults.push(placeOf(origins, i, key) + message);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults.join('\n'));
}
