import type { Argv } from 'yargs';

/** What a command with MODEL among its arguments takes, and what writes to the registry. */
export const registryOption = <T>(yargs: Argv<T>) =>
  yargs.option('registry', {
    type: 'string',
    describe: 'Model registry (EDGEWOOD_REGISTRY); by default in ~/.local/share/edgewood',
  });

/** Where a command takes a model. */
export const MODEL_DESCRIBED = 'Model file, or name@version or name@alias of the registry';

export const MLFLOW = {
  type: 'string',
  describe: 'Tracking server (MLFLOW_TRACKING_URI); credentials: MLFLOW_TRACKING_…',
} as const;
