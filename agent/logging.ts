import { type AgentConfig, ConfigError } from './config/config.ts';
import { createLog, type Level, type Log } from './log.ts';
import { LogFile } from './log-file.ts';

/** A log, and what changes about it at run time. */
export interface Logging {
  readonly log: Log;
  /** What is in force; a command may have changed it for a while. */
  level: Level;
  /** By file, environment or flag. */
  configured: Level;
  /** The file may have been moved away by a rotation from outside. */
  reopen(): void;
  close(): void;
}

/** As configured. @throws ConfigError where the file can't be written */
export function configuredLogging({ logLevel, logFormat, logFile }: AgentConfig): Logging {
  const file = logFile === null ? null : openLogFile(logFile);
  const terminal = file === null && process.stderr.isTTY === true;
  const logging: Logging = {
    level: logLevel,
    configured: logLevel,
    log: createLog({
      level: () => logging.level,
      pretty: logFormat === 'pretty' || (logFormat === 'auto' && terminal),
      colour: terminal && !process.env['NO_COLOR'],
      nowMs: Date.now,
      write: (line) => (file === null ? void process.stderr.write(line) : file.write(line)),
    }),
    reopen: () => file?.reopen(),
    close: () => file?.close(),
  };
  return logging;
}

function openLogFile(path: string): LogFile {
  try {
    return new LogFile(path, { nowMs: Date.now });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const mend = code === 'ENOENT' ? 'make its folder' : "give it to the agent's user, or name another";
    throw new ConfigError(`log.file: ${path} can't be written (${code}); ${mend}`);
  }
}

/** For whoever has a log already. */
export const loggingTo = (log: Log): Logging => ({
  log,
  level: 'info',
  configured: 'info',
  reopen: () => {},
  close: () => {},
});
