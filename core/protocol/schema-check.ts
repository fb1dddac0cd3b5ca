import type { JsonSchema } from './schema-builders.ts';

type Fault = string | null;

/**
 * Holds a value against one of the protocol's own JSON Schemas (draft 2020-12; the words that schema-builders.ts uses).
 * @returns where it differs and what was expected, or null
 */
export function schemaFault(schema: JsonSchema, value: unknown, at = ''): Fault {
  const {
    anyOf,
    enum: choices,
    type,
  } = schema as {
    anyOf?: readonly JsonSchema[];
    enum?: readonly unknown[];
    type?: string;
  };
  const wrong = (expected: string): string => `${at === '' ? 'the document' : at}: expected ${expected}`;
  if (anyOf !== undefined) {
    const faults = anyOf.map((one) => schemaFault(one, value, at));
    return faults.includes(null) ? null : (faults[value === null ? faults.length - 1 : 0] as Fault);
  }
  if (choices !== undefined) {
    return choices.includes(value) ? null : wrong(choices.map((one) => JSON.stringify(one)).join(' or '));
  }
  switch (type) {
    case 'string':
      return typeof value === 'string' ? textFault(schema, value, wrong) : wrong('a text');
    case 'number':
    case 'integer':
      return typeof value === 'number' ? numberFault(schema, value, wrong) : wrong('a number');
    case 'boolean':
      return typeof value === 'boolean' ? null : wrong('true or false');
    case 'array':
      return Array.isArray(value) ? listFault(schema, value, at, wrong) : wrong('a list');
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? recordFault(schema, value as Record<string, unknown>, at, wrong)
        : wrong('an object');
    case 'null':
      return value === null ? null : wrong('null');
    case undefined:
      return null;
    default:
      // A word that isn't read here would let anything pass.
      throw new TypeError(`a schema of type ${type}`);
  }
}

type Wrong = (expected: string) => string;

function textFault(schema: JsonSchema, text: string, wrong: Wrong): Fault {
  const {
    pattern,
    minLength = 0,
    maxLength = Number.POSITIVE_INFINITY,
    format,
  } = schema as {
    pattern?: string;
    minLength?: number;
    maxLength?: number;
    format?: string;
  };
  // In characters, as JSON Schema counts: UTF-16 has up to two units for one.
  const characters = text.length > minLength && text.length <= maxLength ? text.length : [...text].length;
  if (characters < minLength || characters > maxLength)
    return wrong(`${minLength} to ${maxLength} characters`);
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(text)) return wrong(`a text like ${pattern}`);
  if (format === 'date-time' && !isTime(text)) return wrong('a time as 2026-01-31T00:00:00.000Z');
  return null;
}

/** One spelling a time: two must not mean the same. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function isTime(text: string): boolean {
  if (!TIME.test(text)) return false;
  const date = new Date(text);
  return !Number.isNaN(date.getTime()) && date.toISOString() === text;
}

function numberFault(schema: JsonSchema, x: number, wrong: Wrong): Fault {
  const {
    type,
    minimum = Number.NEGATIVE_INFINITY,
    maximum = Number.POSITIVE_INFINITY,
  } = schema as {
    type: string;
    minimum?: number;
    maximum?: number;
  };
  if (type === 'integer' && !Number.isSafeInteger(x)) return wrong('a whole number');
  return x >= minimum && x <= maximum ? null : wrong(`a number from ${minimum} to ${maximum}`);
}

function listFault(schema: JsonSchema, items: readonly unknown[], at: string, wrong: Wrong): Fault {
  const {
    items: item = {},
    minItems = 0,
    maxItems = Number.POSITIVE_INFINITY,
  } = schema as {
    items?: JsonSchema;
    minItems?: number;
    maxItems?: number;
  };
  if (items.length < minItems || items.length > maxItems) return wrong(`${minItems} to ${maxItems} items`);
  for (const [i, one] of items.entries()) {
    const fault = schemaFault(item, one, `${at}[${i}]`);
    if (fault !== null) return fault;
  }
  return null;
}

function recordFault(
  schema: JsonSchema,
  record: Readonly<Record<string, unknown>>,
  at: string,
  wrong: Wrong,
): Fault {
  const {
    properties = {},
    required = [],
    additionalProperties = true,
    maxProperties = Number.POSITIVE_INFINITY,
    propertyNames = {},
  } = schema as {
    properties?: Readonly<Record<string, JsonSchema>>;
    required?: readonly string[];
    additionalProperties?: boolean | JsonSchema;
    maxProperties?: number;
    propertyNames?: JsonSchema;
  };
  const path = (name: string): string => (at === '' ? name : `${at}.${name}`);
  const names = Object.keys(record);
  if (names.length > maxProperties) return wrong(`at most ${maxProperties} members`);
  for (const name of required) {
    if (!Object.hasOwn(record, name)) return `${path(name)}: it is missing`;
  }
  for (const name of names) {
    const known = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (known === false) return `${path(name)}: nothing of this name is known`;
    const bad = schemaFault(propertyNames, name, `the name of ${path(name)}`);
    if (bad !== null) return bad;
    if (known === undefined || known === true) continue;
    const fault = schemaFault(known, record[name], path(name));
    if (fault !== null) return fault;
  }
  return null;
}
