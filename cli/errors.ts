/** What a command ends with. Scripts depend on these: a code, once given out, keeps its meaning. */
export const Exit = {
  done: 0,
  checkSaysNo: 1,
  /** Bad usage, configuration or input. */
  badInput: 2,
  /** Something needed can't be reached. */
  unreachable: 3,
  /** Refused: not signed, not by whom, or not any more. */
  untrustworthy: 4,
  bug: 70,
} as const;

/** What the person in front of it can mend: printed as `edgewood: <message>`, with no stack. */
export class UserError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = Exit.badInput, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UserError';
    this.exitCode = exitCode;
  }
}
