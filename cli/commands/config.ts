import { ConfigError, resolveConfig } from '../../agent/config/config.ts';
import { Exit, UserError } from '../errors.ts';

export interface ConfigCheckOptions {
  readonly file: string;
}

export async function run(args: ConfigCheckOptions): Promise<number> {
  const { readConfigFile } = await import('../../agent/config/file.ts');
  try {
    const config = resolveConfig([readConfigFile(args.file)]);
    const sinks = config.sinks.map((sink) => `${sink.name} (${sink.url ?? sink.type})`).join(', ');
    process.stdout.write(
      `${args.file}: fine. A sample every ${config.intervalMs / 1000} s, state in ${config.stateDir}, sinks: ${sinks || 'none'}.\n`,
    );
    return Exit.done;
  } catch (error) {
    if (error instanceof ConfigError) throw new UserError(error.message);
    throw error;
  }
}
