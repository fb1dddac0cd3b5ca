import { printable } from '../../../agent/log.ts';
import { Exit } from '../../errors.ts';
import { withRegistry } from '../../registry.ts';

export interface VerifyOptions {
  readonly registry?: string | undefined;
  readonly json: boolean;
}

export async function run(args: VerifyOptions): Promise<number> {
  return withRegistry(args.registry, { create: false }, (registry) => {
    const findings = registry.verify();
    const versions = registry.list().reduce((sum, model) => sum + model.versions.length, 0);
    const fine = findings.length === 0;
    if (args.json) process.stdout.write(`${JSON.stringify({ versions, fine, findings })}\n`);
    else {
      const lines = findings.map(({ where, kind, what }) => `✗ ${kind}  ${printable(`${where}: ${what}`)}`);
      if (fine) {
        lines.push(
          `✓ ${versions} ${versions === 1 ? 'version' : 'versions'}: every file is there and is what the index says`,
        );
      }
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    return fine ? Exit.done : Exit.checkSaysNo;
  });
}
