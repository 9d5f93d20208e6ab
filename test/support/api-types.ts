/** TypeScript for the answers that the OpenAPI document describes: the dashboard's types. */

/** The parts of a JSON schema that the document uses. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly description?: string;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

export interface OpenApi {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Record<string, Content> }>>>
  >;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export function apiTypes({ paths, components }: OpenApi): string {
  const shapes = Object.entries(components.schemas).map(
    ([name, schema]) => `export interface ${name} ${typeOf(schema, '')}\n`,
  );
  const answers = Object.entries(paths).flatMap(([path, methods]) => {
    const schema = methods['get']?.responses['200']?.content?.['application/json']?.schema;
    return schema === undefined ? [] : [`  '${path}': ${typeOf(schema, '  ')};\n`];
  });
  return `/** The API's shapes: generated from its OpenAPI document, see test/docs.test.ts. */

${shapes.join('\n')}
/** What each GET answers with. */
export interface Answers {
${answers.join('')}}
`;
}

function typeOf(schema: Schema, indent: string): string {
  if (schema.$ref !== undefined) return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ');
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => typeOf(one, indent)).join(' | ');
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  return types.map((type) => plainType(type, schema, indent)).join(' | ') || 'unknown';
}

function plainType(type: string, schema: Schema, indent: string): string {
  if (type === 'array') return `readonly ${bracketed(typeOf(schema.items ?? {}, indent))}[]`;
  if (type === 'object') return objectType(schema, indent);
  return type === 'integer' ? 'number' : type;
}

function objectType(schema: Schema, indent: string): string {
  const { properties, required = [], patternProperties = {}, additionalProperties } = schema;
  const [pattern] = Object.values(patternProperties);
  const values = pattern ?? (typeof additionalProperties === 'object' ? additionalProperties : {});
  if (properties === undefined || Object.keys(properties).length === 0) {
    return `Readonly<Record<string, ${typeOf(values, indent)}>>`;
  }
  const inner = `${indent}  `;
  const lines = Object.entries(properties).map(([name, property]) => {
    const comment =
      property.description === undefined ? '' : `${inner}/** ${property.description} */\n`;
    const mark = required.includes(name) ? '' : '?';
    return `${comment}${inner}readonly ${name}${mark}: ${typeOf(property, inner)};\n`;
  });
  return `{\n${lines.join('')}${indent}}`;
}

function bracketed(type: string): string {
  return type.includes(' | ') && !type.startsWith('{') ? `(${type})` : type;
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}
