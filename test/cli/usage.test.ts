import { describe, expect, test } from 'vitest';
import { runCommandLine } from '../../cli/command-line.ts';
import { UserError } from '../../cli/errors.ts';

/** What is said of a line that is refused before its command runs. */
async function refusal(line: string): Promise<string> {
  try {
    await runCommandLine(line.split(' ').filter((word) => word !== ''));
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return 'nothing was refused';
}

describe('a line that can not be meant', () => {
  test.each([
    ['train a.csv --name web --seed abc', '--seed: expected a number, found abc', 'train'],
    ['train a.csv --name web --seed=5%', '--seed: expected a number, found 5%', 'train'],
    ['train a.csv --name web --seed', '--seed: expected a number, found nothing', 'train'],
    ['train a.csv --seed --name web', '--seed: expected a number, found nothing', 'train'],
    ['validate a.csv --max-violations 5%', '--max-violations: expected a number, found 5%', 'validate'],
    ['alerts list --limit ten', '--limit: expected a number, found ten', 'alerts list'],
    ['train a.csv --name web --name web2', '--name is there twice; give it once', 'train'],
    [
      'models list --registry a --registry b --registry c',
      '--registry is there 3 times; give it once',
      'models list',
    ],
    ['train a.csv --name web --seed 1 --seed 2', '--seed is there twice; give it once', 'train'],
    ['evaluate web@1', 'files is missing: edgewood evaluate <model> <files..>', 'evaluate'],
    ['evaluate', 'model and files are missing: edgewood evaluate <model> <files..>', 'evaluate'],
    ['evaluate --json web@1', 'files is missing: edgewood evaluate <model> <files..>', 'evaluate'],
    ['models show', 'model is missing: edgewood models show <model>', 'models show'],
    ['models diff web@1', 'b is missing: edgewood models diff <a> <b>', 'models diff'],
    [
      'models',
      'models: which one? list, show, alias, rollback, diff, verify, export, import, log, sync',
      'models',
    ],
  ])('%s', async (line, message, command) => {
    expect(await refusal(line)).toBe(`${message}\nSee edgewood ${command} --help.`);
  });

  test('several files are no option that is there twice', async () => {
    expect(await refusal('validate /nowhere/a.csv /nowhere/b.csv')).not.toContain('give it once');
  });
});
