import type { Argv } from 'yargs';

export const passphraseOption = <T>(yargs: Argv<T>) =>
  yargs.option('passphrase-file', {
    type: 'string',
    describe: 'File with the passphrase of private keys, mode 0600; or /dev/stdin',
  });

/** Whose signature it gets. */
export const keyOptions = <T>(yargs: Argv<T>) =>
  passphraseOption(yargs).option('key', {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'Private key; several: once for each',
  });

/** What puts signatures into a file. */
export const signatureOptions = <T>(yargs: Argv<T>) =>
  keyOptions(yargs).option('add', {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'Another copy of the document: take its signatures',
  });
