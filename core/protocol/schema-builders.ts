/** Words in which the JSON Schemas of the protocol are written. */
export type JsonSchema = { readonly [key: string]: unknown };

export const text: JsonSchema = { type: 'string' };
export const id: JsonSchema = { type: 'string', minLength: 1, maxLength: 128 };
export const sha256: JsonSchema = { type: 'string', pattern: '^[0-9a-f]{64}$' };
export const number: JsonSchema = { type: 'number' };
export const flag: JsonSchema = { type: 'boolean' };
export const count: JsonSchema = { type: 'integer', minimum: 0 };
export const time: JsonSchema = { type: 'string', format: 'date-time' };
export const orNull = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: 'null' }] });
export const list = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
export const choice = (...values: readonly (string | number)[]): JsonSchema => ({ enum: values });

/** An object with exactly these properties, all required but those named. */
export function record(
  properties: Readonly<Record<string, JsonSchema>>,
  optional: readonly string[] = [],
): JsonSchema {
  return {
    type: 'object',
    properties,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    additionalProperties: false,
  };
}

/** CloudEvents 1.0 in structured JSON, with the sequence that every one of ours has. @param source a pattern */
export const cloudEvent = (
  source: string,
  types: readonly string[],
): Readonly<Record<string, JsonSchema>> => ({
  specversion: choice('1.0'),
  id: { type: 'string', minLength: 1 },
  source: { type: 'string', format: 'uri-reference', pattern: source },
  type: choice(...types),
  subject: { type: 'string', minLength: 1 },
  time,
  datacontenttype: choice('application/json'),
  dataschema: { type: 'string', format: 'uri' },
  sequence: { type: 'string', pattern: '^[1-9][0-9]*$' },
  sequenceepoch: id,
});
