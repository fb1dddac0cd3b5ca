import { readFileSync, writeFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { UserError } from './errors.ts';

/** @throws UserError naming file, line and column of what is no YAML */
export function readYaml(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`${path}: can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const document = parseDocument(text, { prettyErrors: true });
  const [fault] = document.errors;
  if (fault !== undefined) {
    const { line, col } = fault.linePos?.[0] ?? { line: 1, col: 1 };
    throw new UserError(
      `${path}:${line}:${col}: ${fault.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '')}`,
    );
  }
  return document.toJS();
}

/** @throws UserError naming the file and why it can't be written */
export function writeOutput(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new UserError(`${path}: can't be written (${(error as NodeJS.ErrnoException).code})`);
  }
}
