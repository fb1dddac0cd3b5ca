import { Exit, UserError } from '../../errors.ts';
import { openModel } from '../../model-reference.ts';
import { cardTitle, modelCard } from '../../models/card.ts';
import { toMarkdown, toText } from '../../models/document.ts';
import { ethics, limits } from '../../models/judgement.ts';
import { registryDirectory } from '../../registry.ts';

export interface ShowOptions {
  readonly model: string;
  readonly registry?: string | undefined;
  readonly json: boolean;
  readonly markdown: boolean;
}

export async function run(args: ShowOptions): Promise<number> {
  if (args.json && args.markdown) throw new UserError('--json and --markdown: one of them');
  const opened = openModel(args.model, registryDirectory(args.registry));
  if (args.json) {
    const { record, aliases, sha256, shown, model, bytes } = opened;
    const document = {
      model: shown,
      aliases,
      sha256,
      bytes: bytes.length,
      detector: model.detector,
      features: model.schema,
      provenance: model.provenance,
      record,
      hosts: model.hosts.map(({ host, rows }) => ({ host, rows })),
      limits: limits(opened),
      ethicalNotes: ethics(model.schema.map(({ name }) => name)),
    };
    process.stdout.write(`${JSON.stringify(document)}\n`);
    return Exit.done;
  }
  const render = args.markdown ? toMarkdown : toText;
  process.stdout.write(render(cardTitle(opened), modelCard(opened)));
  return Exit.done;
}
