import { type Command, command, group, local } from './command.ts';

const alerts = (action: 'tail' | 'list' | 'show', describe: string, example: string): Command =>
  command({
    command: action === 'show' ? 'show <id>' : action,
    describe,
    builder: (yargs) => {
      const id = { type: 'string', describe: 'Incident, or the first characters of its id' } as const;
      const options = local(yargs)
        .option('limit', {
          type: 'number',
          describe: 'How many incidents, newest first',
          hidden: action !== 'list',
        })
        .option('action', { type: 'string', default: action as string, hidden: true })
        .example(`$0 alerts ${example}`, describe);
      return action === 'show' ? options.positional('id', id) : options.option('id', { ...id, hidden: true });
    },
    load: () => import('./commands/alerts.ts'),
  });

/** What this host told, and what people say of it. */
export const ALERTS: Command = group(
  'alerts',
  'Incidents of this host: follow, list, explain',
  'list --limit 5',
  [
    alerts('tail', 'Follow alerts as they come', 'tail'),
    alerts('list', 'The latest incidents', 'list --limit 5'),
    alerts('show', 'One incident, explained', 'show 3f2a9c1d'),
    command({
      command: 'verdict <id> <verdict>',
      describe: 'Say what an alert was worth: true, false, or benign (right, but nobody needed it)',
      builder: (yargs) =>
        local(yargs)
          .positional('id', { type: 'string', demandOption: true, describe: 'Beginning of its id' })
          .positional('verdict', { type: 'string', choices: ['true', 'false', 'benign'], demandOption: true })
          .option('note', { type: 'string', default: '', describe: 'Kept with it' })
          .example('$0 alerts verdict 3f2a9c1d false --note "backup"', 'A false alarm'),
      load: () => import('./commands/verdict.ts'),
    }),
    command({
      command: 'missed',
      describe: 'Say when something was wrong and no incident stood; without a time: what was said so far',
      builder: (yargs) =>
        local(yargs)
          .option('from', {
            type: 'string',
            describe: 'When it began: 2026-01-05T10:00Z (UTC unless it names its zone), or how long ago: 2h',
          })
          .option('to', { type: 'string', describe: 'When it was over, likewise' })
          .option('note', { type: 'string', describe: 'Kept with it' })
          .option('retract', {
            type: 'boolean',
            default: false,
            describe: 'It was not so: take back what began then',
          })
          .example('$0 alerts missed --from 2h --to 90m --note "disk full"', 'Nothing was raised'),
      load: () => import('./commands/missed.ts'),
    }),
  ],
);
