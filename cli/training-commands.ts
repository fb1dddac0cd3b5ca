import { type Command, command } from './command.ts';
import { MLFLOW, MODEL_DESCRIBED, registryOption } from './model-options.ts';

/** From recorded data to a model that can be trusted. */
export const TRAINING: readonly Command[] = [
  command({
    command: 'validate <files..>',
    readsStandardInput: true,
    describe: 'Check recorded data before a model learns from it: exit code 1 where it must not',
    builder: (yargs) =>
      yargs
        .positional('files', {
          type: 'string',
          array: true,
          demandOption: true,
          describe: 'CSV with a column timestamp, .gz too; -: standard input',
        })
        .option('schema', {
          type: 'string',
          describe: 'Columns and ranges (YAML), instead of cpu, memory, network',
        })
        .option('max-violations', {
          type: 'number',
          default: 5,
          describe: 'Percent of the rows that may break a rule',
        })
        .option('report', { type: 'string', describe: 'Write the report there (JSON)' })
        .option('json', { type: 'boolean', default: false, describe: 'Print JSON' })
        .example('$0 validate week.csv.gz', 'Types, ranges, gaps, outliers'),
    load: () => import('./commands/validate.ts'),
  }),
  command({
    command: 'train <files..>',
    readsStandardInput: true,
    describe: 'From recorded data to a registered model: compare, fit, calibrate, test',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('files', {
          type: 'string',
          array: true,
          demandOption: true,
          describe: "CSV, .gz too, one a host; -: standard input; an agent's edgewood.db",
        })
        .option('name', { type: 'string', demandOption: true, describe: 'Name of the model' })
        .option('features', { type: 'string', describe: 'Columns to learn from, e.g. cpu,memory,network' })
        .option('detector', {
          type: 'string',
          describe: 'metric-forests, isolation-forest, or auto (the better one), which is the default',
        })
        .option('budget', { type: 'string', describe: 'Alarms that a host may cost; by default 1/day' })
        .option('contamination', {
          type: 'number',
          describe: 'Share of the rows to flag (0.01), in place of the budget',
        })
        .option('grid', {
          type: 'string',
          describe:
            'What to compare (YAML): detector, trees, rowsPerTree, windows, budgetPerDay, contamination',
        })
        .option('split', {
          type: 'string',
          default: '70/15/15',
          describe: 'Train, validation, test, by time',
        })
        .option('seed', { type: 'number', default: 1, describe: 'Same data, same seed: same bytes' })
        .option('schema', { type: 'string', describe: 'Columns and ranges (YAML), as for validate' })
        .option('max-violations', {
          type: 'number',
          default: 5,
          describe: 'Percent of the rows that may break a rule',
        })
        .option('alias', { type: 'string', describe: 'Give the new version this alias, e.g. staging' })
        .option('description', { type: 'string', describe: 'What it is for: in the model card' })
        .option('why', { type: 'string', describe: 'For the audit log' })
        .option('out', { type: 'string', describe: 'Write the model file there, too' })
        .option('mlflow', MLFLOW)
        .option('json', { type: 'boolean', default: false, describe: 'Print JSON' })
        .example('$0 train week.csv.gz --name db', 'Compare the recipes, register the best as db@1'),
    load: () => import('./commands/train.ts'),
  }),
  command({
    command: 'score <model> <file>',
    readsStandardInput: true,
    describe: 'What a model says of recorded data: timestamp, score, anomaly, as CSV',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('model', { type: 'string', demandOption: true, describe: MODEL_DESCRIBED })
        .positional('file', {
          type: 'string',
          demandOption: true,
          describe: 'CSV with a column timestamp, .gz too; -: standard input',
        })
        .option('explain', {
          type: 'boolean',
          default: false,
          describe: 'Contributions of the metrics, too: with base_value they add up to explained',
        })
        .option('out', { type: 'string', describe: 'Write there instead of to stdout' })
        .example('$0 score current.edgewood week.csv.gz --explain', 'Row by row'),
    load: () => import('./commands/score.ts'),
  }),
  command({
    command: 'evaluate <model> <files..>',
    readsStandardInput: true,
    describe: 'What a model is worth on data that it did not learn from; exit code 1 where a gate fails',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('model', { type: 'string', demandOption: true, describe: MODEL_DESCRIBED })
        .positional('files', {
          type: 'string',
          array: true,
          demandOption: true,
          describe:
            'CSV with a column timestamp and, where known, label (0 or 1); .gz too; -: standard input',
        })
        .option('host', {
          type: 'string',
          describe:
            "Whose FILE is, where its name doesn't say so: a model of several hosts has thresholds of each",
        })
        .option('against', {
          type: 'string',
          describe: 'Another model (e.g. web@production), judged by the same rows: is this one better?',
        })
        .option('gate', { type: 'string', describe: 'Conditions to be met (YAML, docs/EVALUATION.md)' })
        .option('html', { type: 'string', describe: 'Write a report with plots there: one file' })
        .option('robustness', {
          type: 'boolean',
          default: true,
          describe: 'Noise, missing values, outliers, shifts, clock jumps (--no-robustness: leave them out)',
        })
        .option('max-violations', {
          type: 'number',
          default: 5,
          describe: 'Percent of the rows that may break a rule',
        })
        .option('seed', { type: 'number', default: 1, describe: 'For what is drawn at random' })
        .option('json', { type: 'boolean', default: false, describe: 'Print JSON' })
        .example(
          '$0 evaluate current.edgewood week.csv.gz --html report.html',
          'Figures, and a page of plots',
        ),
    load: () => import('./commands/evaluate.ts'),
  }),
  command({
    command: 'drift <reference> <live>',
    readsStandardInput: true,
    describe: 'Has the host moved away from what was normal? Calibrated by the reference, severity 1 to 10',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('reference', {
          type: 'string',
          demandOption: true,
          describe: 'What was normal: a recording as for LIVE, or a model (file, name@version, name@alias)',
        })
        .positional('live', {
          type: 'string',
          demandOption: true,
          describe: "CSV with a column timestamp, .gz too; -: standard input; an agent's edgewood.db",
        })
        .option('html', { type: 'string', describe: 'Write a report with plots there: one file' })
        .option('fail-on', {
          type: 'number',
          describe: 'Exit code 1 where the severity reaches this, 1 to 10; 2 where it can not be told',
        })
        .option('max-violations', {
          type: 'number',
          default: 5,
          describe: 'Percent of the rows that may break a rule',
        })
        .option('json', { type: 'boolean', default: false, describe: 'Print JSON' })
        .example('$0 drift current.edgewood week.csv.gz --html drift.html', 'Figures, and a page of plots'),
    load: () => import('./commands/drift.ts'),
  }),
];
