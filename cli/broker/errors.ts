import type { SinkConfig } from '../../agent/config/config.ts';
import { checkFiles } from '../../agent/sinks/files.ts';
import { type Endpoint, parseEndpoint } from '../../agent/sinks/mqtt/transport.ts';
import { SinkConfigurationError } from '../../agent/sinks/sink.ts';
import { Exit, UserError } from '../errors.ts';

/** The broker can't be reached, or says no. `code` is its reason, where it gave one. */
export class BrokerError extends UserError {
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super(message, Exit.unreachable);
    this.name = 'BrokerError';
    this.code = code;
  }
}

/** Where the broker is. @throws UserError for settings that can never work */
export function checkedEndpoint(config: SinkConfig): Endpoint {
  try {
    checkFiles(config);
    return parseEndpoint(config);
  } catch (error) {
    if (error instanceof SinkConfigurationError)
      throw new UserError(error.message.replace(/^sink "broker": /, 'broker: '));
    throw error;
  }
}
