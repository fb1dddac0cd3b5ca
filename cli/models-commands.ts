import { type Command, command, group } from './command.ts';
import { MLFLOW, MODEL_DESCRIBED, registryOption } from './model-options.ts';

const json = { type: 'boolean', default: false, describe: 'Print JSON' } as const;
const why = { type: 'string', describe: 'For the audit log' } as const;
const model = { type: 'string', demandOption: true, describe: MODEL_DESCRIBED } as const;

/** `edgewood models …`: the local registry. */
export const MODELS: Command = group('models', 'The model registry: versions, aliases, model cards', 'list', [
  command({
    command: 'list',
    describe: 'Models, their versions and aliases',
    builder: (yargs) =>
      registryOption(yargs).option('json', json).example('$0 models list', 'The newest first'),
    load: () => import('./commands/models/list.ts'),
  }),
  command({
    command: 'show <model>',
    describe: 'The model card: purpose, data, method, performance, limits, fairness, ethics',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('model', model)
        .option('json', json)
        .option('markdown', { type: 'boolean', default: false, describe: 'As Markdown' })
        .example('$0 models show web@production --markdown > CARD.md', 'For the wiki'),
    load: () => import('./commands/models/show.ts'),
  }),
  command({
    command: 'alias <model> <alias>',
    describe: 'Point an alias to a version: production, staging, archived, or any other',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('model', { type: 'string', demandOption: true, describe: 'NAME@VERSION' })
        .positional('alias', { type: 'string', demandOption: true, describe: 'e.g. production' })
        .option('expect', {
          type: 'string',
          describe: 'Only where it now points to this version (none: nowhere); else exit code 1',
        })
        .option('why', why)
        .option('remove', { type: 'boolean', default: false, describe: 'Take the alias away' })
        .example('$0 models alias web@2 production --expect 1', 'Unless somebody was first'),
    load: () => import('./commands/models/alias.ts'),
  }),
  command({
    command: 'rollback <name>',
    describe: 'Point an alias back to the version before; again: further back',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('name', { type: 'string', demandOption: true, describe: 'Name of the model' })
        .option('alias', { type: 'string', default: 'production', describe: 'Which alias' })
        .option('why', why)
        .example('$0 models rollback web --why "too many alarms"', 'Production, as it was'),
    load: () => import('./commands/models/rollback.ts'),
  }),
  command({
    command: 'diff <a> <b>',
    describe: 'What differs between two models: features, parameters, data, metrics',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('a', model)
        .positional('b', model)
        .option('json', json)
        .example('$0 models diff web@1 web@latest', 'Before it goes to production'),
    load: () => import('./commands/models/diff.ts'),
  }),
  command({
    command: 'verify',
    describe: 'Is every file there, and what the index says? Exit code 1 where not',
    builder: (yargs) =>
      registryOption(yargs).option('json', json).example('$0 models verify', 'After a restore'),
    load: () => import('./commands/models/verify.ts'),
  }),
  command({
    command: 'export <model>',
    describe: 'A model as JSON: trees, thresholds, schema',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('model', model)
        .option('out', { type: 'string', describe: 'Write there instead of to stdout' })
        .example('$0 models export web@1 --out web.json', 'For other programs'),
    load: () => import('./commands/models/export.ts'),
  }),
  command({
    command: 'import <file>',
    describe: 'Register an IsolationForest of scikit-learn (docs/scikit_learn_export.py)',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('file', { type: 'string', demandOption: true, describe: 'JSON dump of the forest' })
        .option('name', { type: 'string', demandOption: true, describe: 'Name of the model' })
        .option('features', { type: 'string', describe: "Names of its features, in place of the dump's" })
        .option('interval', { type: 'string', default: '5s', describe: 'Between the samples it will see' })
        .option('description', { type: 'string', describe: 'What it is for: in the model card' })
        .option('alias', { type: 'string', describe: 'Give the new version this alias, e.g. staging' })
        .option('why', why)
        .option('json', json)
        .example('$0 models import forest.json --name sk', 'As sk@1'),
    load: () => import('./commands/models/import.ts'),
  }),
  command({
    command: 'log [name]',
    describe: 'Who changed what, when and why',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('name', { type: 'string', describe: 'Of this model only' })
        .option('json', json)
        .example('$0 models log web', 'Oldest first'),
    load: () => import('./commands/models/log.ts'),
  }),
  command({
    command: 'sync',
    describe: 'Send the trainings to MLflow that could not be sent before',
    builder: (yargs) =>
      registryOption(yargs)
        .option('mlflow', MLFLOW)
        .option('json', json)
        .example('$0 models sync --mlflow http://mlflow:5000', 'What waits, and what became of it'),
    load: () => import('./commands/models/sync.ts'),
  }),
]);
