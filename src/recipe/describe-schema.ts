import { z } from 'zod'

/** What a schema allows, in words for a message: `an integer from 1 to 16384`, `one of inside, cover`. */
export function describeAllowed(schema: z.ZodType): string {
  return inWords(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema)
}

interface JsonSchema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly minimum?: number
  readonly maximum?: number
}

function inWords(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(inWords).join(', or ')
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  if (schema.type === 'boolean') return 'true or false'
  if (schema.type === 'integer' || schema.type === 'number') {
    const kind = schema.type === 'integer' ? 'an integer' : 'a number'
    return schema.minimum === undefined ? kind : `${kind} from ${schema.minimum} to ${schema.maximum}`
  }
  return schema.type === 'string' ? 'text' : 'another value'
}
