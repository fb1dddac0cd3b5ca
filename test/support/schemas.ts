import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { PUBLISHED_SCHEMAS } from '../../core/protocol/schemas.ts';

const ajv = new Ajv2020({ allErrors: true, strict: false });
(addFormats as unknown as (instance: Ajv2020) => void)(ajv);
for (const { schema } of PUBLISHED_SCHEMAS) ajv.addSchema(schema);

/** Checks documents against a published schema; the faults in words, none where it is valid. */
export function validator(name: string): (document: unknown) => string[] {
  const validate = ajv.getSchema(`urn:edgewood:schema:1:${name}`);
  if (validate === undefined) throw new Error(`no schema ${name}`);
  return (document) =>
    validate(document)
      ? []
      : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}
